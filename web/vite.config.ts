import { join } from "node:path";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

/** Where `pnpm dev` has the server. */
const server = `http://localhost:${process.env.PORT ?? 8080}`;

export default defineConfig({
  root: import.meta.dirname,
  plugins: [react()],
  resolve: {
    alias: {
      "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js": join(import.meta.dirname, "src/rules-schema.ts"),
    },
  },
  build: {
    outDir: "dist",
    emptyOutDir: true,
    // The page's policy allows no data: URLs.
    assetsInlineLimit: 0,
  },
  server: {
    proxy: {
      // Every method's path has a package with a dot in it; the WebSockets of streams go the same way.
      "^/[\\w.]+\\.v\\d+\\.\\w+/\\w+(?:\\?|$)": { target: server, ws: true },
      "/healthz": server,
      "/readyz": server,
    },
  },
});
