/**
 * Where the app and its server are, which may be below a path that a proxy has put in
 * front. Every script is one folder below: `assets/` as built, `src/` in development.
 */
const home = new URL(/* @vite-ignore */ "..", import.meta.url);

/** The path before those of the pages, as `/rollcall`; empty at the root. */
export const BASE_PATH = home.pathname.slice(0, -1);

/** The server's address, as `https://example.com/rollcall`. */
export const BASE_URL = home.origin + BASE_PATH;
