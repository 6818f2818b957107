/**
 * Compares the answers of both carriers to random calls for a while, and the quick parsers and checks with those that
 * they replace: `pnpm fuzz [seconds] [seed]`. The same seed makes the same calls. A call with a new kind of answer is
 * added to the corpus, which the tests begin with.
 */
import { spawnSync } from "node:child_process";
import { randomInt } from "node:crypto";
import { join } from "node:path";

const DEFAULT_SECONDS = 60;
const MAX_SECONDS = 24 * 60 * 60;
const MAX_SEED = 2 ** 31;
/** Rounds of tests that are limited by computing time, and therefore run by number. */
const MAX_ROUNDS = 20_000;
const files = [
  "server/src/rpc/stages/quick-json.test.ts",
  "server/src/rpc/interceptors/quick-check.test.ts",
  "server/test/protocol/carriers-fuzz.slow.test.ts",
  "server/test/websocket/carriers-fuzz.slow.test.ts",
];

const root = join(import.meta.dirname, "..");
const [seconds = DEFAULT_SECONDS, seed = randomInt(MAX_SEED)] = process.argv.slice(2).map(Number);
if (!(seconds > 0 && seconds <= MAX_SECONDS && Number.isInteger(seed) && seed >= 0 && seed < MAX_SEED)) {
  console.error(`usage: pnpm fuzz [seconds up to ${MAX_SECONDS}] [seed below ${MAX_SEED}]`);
  process.exit(2);
}
const again = `pnpm fuzz ${seconds} ${seed}`;
console.log(`seed ${seed}, ${seconds} s over HTTP and as many over WebSockets; the same again: ${again}`);
const { status } = spawnSync(process.execPath, ["node_modules/vitest/vitest.mjs", "run", "--maxWorkers=1", ...files], {
  cwd: root,
  stdio: "inherit",
  env: {
    ...process.env,
    FUZZ_SECONDS: String(seconds),
    FUZZ_CALLS: String(Math.min(100 * seconds, MAX_ROUNDS)),
    FUZZ_SEED: String(seed),
    FUZZ_KEEP: "1",
  },
});
console.log(status === 0 ? `no difference with seed ${seed}` : `a difference, or a failure: ${again}`);
process.exit(status ?? 1);
