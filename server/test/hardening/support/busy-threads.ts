import { execFileSync } from "node:child_process";
import { closeSync, constants, mkdtempSync, open, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Threads on which Node.js inflates, deflates and reads files. */
const THREADS = Number(process.env.UV_THREADPOOL_SIZE ?? 4);

/** Keeps all of them busy until the end of the `using` block, without work: each opens a pipe that has no writer. */
export function keepThreadsBusy(): Disposable {
  const folder = mkdtempSync(join(tmpdir(), "rollcall-"));
  const pipes = Array.from({ length: THREADS }, (_, i) => join(folder, `pipe-${i}`));
  execFileSync("mkfifo", pipes);
  for (const pipe of pipes) open(pipe, "r", (_error, fd) => closeSync(fd));
  return {
    [Symbol.dispose]() {
      // Opened for both, a pipe opens at once, and is the writer that the other end waits for.
      for (const pipe of pipes) closeSync(openSync(pipe, constants.O_RDWR));
      rmSync(folder, { recursive: true });
    },
  };
}
