/** `pnpm start`: builds the web app if need be, then serves, in this very process so that signals reach it. */
import { buildWebIfStale } from "./web-build.ts";

await buildWebIfStale();
await import("../server/src/main.ts");
