/** `pnpm build`: builds the release, the folder dist/rollcall-server, which needs nothing but Node.js. */
import { join } from "node:path";
import { buildRelease } from "./release/build-release.ts";

const root = join(import.meta.dirname, "..");
const folder = join(root, "dist/rollcall-server");
const { packages } = await buildRelease(folder);
console.log(`Built dist/rollcall-server, with ${packages.length} packages of others.
Run it with: npx node dist/rollcall-server/rollcall-server serve`);
