/** `pnpm start`: builds the web app if necessary, then serves in this same process, so that signals reach it. */
import { buildWebIfStale } from "./web-build.ts";

await buildWebIfStale();
await import("../server/src/main.ts");
