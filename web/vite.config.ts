import { defineConfig } from "vite";

/** Where `pnpm dev` has the server. */
const server = `http://localhost:${process.env.PORT ?? 8080}`;

export default defineConfig({
  root: import.meta.dirname,
  build: { outDir: "dist", emptyOutDir: true },
  server: {
    proxy: { "^/(user|stream)\\.v1\\.": server, "/healthz": server, "/readyz": server },
  },
});
