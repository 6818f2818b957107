/**
 * Address of the app and its server, which may be below a path that a proxy has added. Every script is one folder below
 * it: in `assets/` when built, in `src/` in development.
 */
const home = new URL(/* @vite-ignore */ "..", import.meta.url);

/** Path before the pages' own, such as `/rollcall`; empty at the root. */
export const BASE_PATH = home.pathname.slice(0, -1);

/** Address of the server, such as `https://example.com/rollcall`. */
export const BASE_URL = home.origin + BASE_PATH;
