import { defineConfig } from "vite";

const target = process.env.ROLLCALL_ADDRESS ?? "http://localhost:8080";

export default defineConfig({
  build: { target: "esnext" }, // of `vite build`: for await at the top of a module
  server: {
    // Forwards calls to the server, so that they go to the page's own origin, as in production. A page of another
    // origin calls the server directly, which lists that origin in CORS_ORIGINS. The pattern matches the paths of
    // methods, whose packages have a version.
    proxy: { "^/[\\w.]+\\.v\\d+\\.\\w+/\\w+": { target, ws: true } },
  },
});
