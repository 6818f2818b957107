/** `pnpm dev`: the server, started again when its code changes, and the web app with hot reload. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { createServer } from "vite";

const root = join(import.meta.dirname, "..");
const server = spawn(process.execPath, ["--watch", "--watch-preserve-output", join(root, "server/src/main.ts")], {
  stdio: "inherit",
});
const web = await createServer({ configFile: join(root, "web/vite.config.ts") });
await web.listen();
console.log("\n  The web app with hot reload, in place of the one that the server serves:");
web.printUrls();

const stop = async () => {
  server.kill("SIGTERM");
  await web.close();
};
process.once("SIGINT", stop);
process.once("SIGTERM", stop);
server.once("exit", (code) => {
  process.exitCode = code ?? 0;
  void web.close();
});
