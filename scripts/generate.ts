/** `pnpm generate`: generates code from proto to gen/src. */
import { execFileSync } from "node:child_process";
import { join } from "node:path";

await import("./print-validate-proto.ts");
execFileSync("buf", ["generate"], { cwd: join(import.meta.dirname, ".."), stdio: "inherit" });
