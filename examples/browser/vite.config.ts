import { defineConfig } from "vite";

const target = process.env.ROLLCALL_ADDRESS ?? "http://localhost:8080";

export default defineConfig({
  build: { target: "esnext" }, // of `vite build`: for await at the top of a module
  server: {
    // Passes calls on, so that the page's own origin serves them, as in production. A page of another origin calls the
    // server itself, which lists that origin in CORS_ORIGINS. The paths are those of methods: a package with a version.
    proxy: { "^/[\\w.]+\\.v\\d+\\.\\w+/\\w+": { target, ws: true } },
  },
});
