#!/usr/bin/env node
/** The `rollcall` command; the only place of this package that uses `process`. */
import { runCommandLine } from "./run.ts";

/** Package runners pass a terminal's Ctrl-C on a second time; one that comes later than this is meant. */
const SECOND_INTERRUPT_MS = 1_000;

const controller = new AbortController();
let interruptedAtMs: number | undefined;
const interrupt = () => {
  const nowMs = performance.now();
  interruptedAtMs ??= nowMs;
  if (nowMs - interruptedAtMs > SECOND_INTERRUPT_MS) process.exit(130);
  controller.abort();
};
process.on("SIGINT", interrupt);
process.on("SIGTERM", interrupt);
// Whoever reads the output has enough, as `head` does.
process.stdout.on("error", () => process.exit(0));

const { stdin, stdout, stderr, env } = process;
process.exitCode = await runCommandLine(process.argv.slice(2), {
  stdin,
  stdout,
  stderr,
  env,
  signal: controller.signal,
});
// A terminal or pipe that is still open for reading is no reason to stay.
stdin.destroy();
