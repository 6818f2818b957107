/**
 * `pnpm build`: what is deployed. server/dist/main.js holds the server with all its
 * dependencies, web/dist the web app; both keep their places below one folder.
 */
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
    rolldownOptions: { output: { entryFileNames: "main.js" } },
  },
});
console.log("Built. Run it with: npx node server/dist/main.js");
