/** Runs the tests again and again beside two busy loops, and stops after the first run that fails. */
import { type ChildProcess, spawn } from "node:child_process";
import { createWriteStream, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { finished } from "node:stream/promises";

const DEFAULT_RUNS = 10;
const BUSY_LOOPS = 2;

const root = join(import.meta.dirname, "..");
const folder = join(root, ".stress");
const vitest = join(root, "node_modules/vitest/vitest.mjs");

/** Child processes, which must end with this one. */
const children = new Set<ChildProcess>();

/** Runs the tests once and writes their output to the file. Resolves with the exit code. */
async function runTests(args: readonly string[], logFile: string): Promise<number | null> {
  const log = createWriteStream(logFile);
  const child = spawn(process.execPath, [vitest, "run", ...args], { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
  children.add(child);
  for (const output of [child.stdout, child.stderr]) output.pipe(log, { end: false });
  const exitCode = await new Promise<number | null>((resolve) => child.once("close", resolve));
  children.delete(child);
  await finished(log.end());
  return exitCode;
}

const [first = "", ...rest] = process.argv.slice(2);
const isCount = /^\d+$/.test(first);
const runs = isCount ? Number(first) : DEFAULT_RUNS;
const args = isCount || first === "" ? rest : [first, ...rest];

process.once("exit", () => {
  for (const child of children) child.kill();
});
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));

for (let loop = 0; loop < BUSY_LOOPS; loop++) children.add(spawn(process.execPath, ["-e", "for (;;);"]));
mkdirSync(folder, { recursive: true });
for (let run = 1; run <= runs; run++) {
  const logFile = join(folder, `run-${run}.log`);
  const beganMs = performance.now();
  const exitCode = await runTests(args, logFile);
  const seconds = Math.round((performance.now() - beganMs) / 1_000);
  console.log(`run ${run} of ${runs}: ${exitCode === 0 ? "green" : "failed"} after ${seconds} s`);
  if (exitCode !== 0) {
    console.log(`Its log: ${logFile}`);
    process.exit(1);
  }
  rmSync(logFile);
}
process.exit(0);
