/** `pnpm dev`: runs the server, restarted when its code changes, and the web app with hot reload. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { ConfigError } from "@rollcall/shared/settings/config-error";
import { readEnvFile } from "@rollcall/shared/settings/env-file";
import { createServer } from "vite";
import { buildWebIfStale } from "./web-build.ts";

const root = join(import.meta.dirname, "..");
// The web app's proxy needs the same settings as the server.
try {
  Object.assign(process.env, { ...readEnvFile(join(root, ".env")), ...process.env });
} catch (error) {
  if (!(error instanceof ConfigError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exit(2);
}
// A restart should not wait for calls to the old code.
process.env.SHUTDOWN_GRACE_MS ??= "200";

// The link that the server prints leads to the page that it serves itself.
await buildWebIfStale();
const server = spawn(process.execPath, ["--watch", "--watch-preserve-output", join(root, "server/src/main.ts")], {
  stdio: "inherit",
});
const web = await createServer({ configFile: join(root, "web/vite.config.ts") });
await web.listen();
console.log("\n  With hot reload; put this address in place of the server's in the sign-in link:");
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
