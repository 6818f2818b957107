/**
 * `pnpm build`: builds what is deployed. server/dist gets the server with all its dependencies (server.js) and the
 * program that checks Node.js and starts it (main.js), web/dist the web app. Both keep their places below one folder.
 */
import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import { build } from "vite";
import { buildWeb } from "./web-build.ts";

const server = join(import.meta.dirname, "../server");
await buildWeb();
await build({
  root: server,
  configFile: false,
  logLevel: "warn",
  ssr: { noExternal: true, target: "node" },
  build: {
    ssr: "src/main.ts",
    outDir: "dist",
    emptyOutDir: true,
    target: "node26",
    sourcemap: true,
    rolldownOptions: { output: { entryFileNames: "server.js" } },
  },
});
await copyFile(join(import.meta.dirname, "bundle-main.js"), join(server, "dist/main.js"));
console.log("Built. Run it with: npx node server/dist/main.js");
