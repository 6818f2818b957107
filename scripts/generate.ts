/** `pnpm generate`: generates code from proto to gen/src. */
import { execFileSync } from "node:child_process";
import { join } from "node:path";

execFileSync("buf", ["generate"], { cwd: join(import.meta.dirname, ".."), stdio: "inherit" });
