/** The `rollcall` command; beside `bin.ts`, the only place of this package that uses `process`. */
import { resolve } from "node:path";
import { Exit } from "./exit.ts";
import { runCommandLine } from "./run.ts";

/**
 * Time in which a second Ctrl-C is ignored, in milliseconds: package runners pass a terminal's Ctrl-C on a second time.
 * A later one is intended.
 */
const SECOND_INTERRUPT_MS = 1_000;

const controller = new AbortController();
let interruptedAtMs: number | undefined;
let interruptedCode: number = Exit.interrupted;
const interrupt = (signal: NodeJS.Signals) => {
  const nowMs = performance.now();
  interruptedAtMs ??= nowMs;
  interruptedCode = signal === "SIGTERM" ? Exit.terminated : Exit.interrupted;
  if (nowMs - interruptedAtMs > SECOND_INTERRUPT_MS) process.exit(interruptedCode);
  controller.abort();
};
process.on("SIGINT", interrupt);
process.on("SIGTERM", interrupt);
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  // The reader of the output wants no more, as with `head`.
  if (error.code === "EPIPE") process.exit(Exit.done);
  process.stderr.write(`rollcall: the output can't be written: ${error.message}\n`);
  process.exit(Exit.refused);
});

const { stdin, stdout, stderr, env } = process;
const code = await runCommandLine(process.argv.slice(2), {
  stdin,
  stdout,
  stderr,
  env,
  // An installed package uses the folder where it is started.
  rootDir: /[/\\]node_modules[/\\]/.test(import.meta.dirname) ? process.cwd() : resolve(import.meta.dirname, "../.."),
  signal: controller.signal,
});
process.exitCode = code === Exit.interrupted ? interruptedCode : code;
// A terminal or pipe that is still open for reading must not keep the process alive.
stdin.destroy();
