/** `pnpm generate`: generates code from proto to gen/src, and that of the example of a host. */
import { execFileSync } from "node:child_process";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
for (const folder of [root, join(root, "examples/extend")])
  execFileSync("buf", ["generate"], { cwd: folder, stdio: "inherit" });
