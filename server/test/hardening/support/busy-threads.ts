import { execFileSync } from "node:child_process";
import { closeSync, constants, mkdtempSync, open, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Number of threads on which Node.js inflates, deflates and reads files. */
const THREADS = Number(process.env.UV_THREADPOOL_SIZE ?? 4);

/**
 * Blocks all of these threads until the end of the `using` block, without using the CPU: each opens a pipe that has no
 * writer.
 */
export function keepThreadsBusy(): Disposable {
  const folder = mkdtempSync(join(tmpdir(), "rollcall-"));
  const pipes = Array.from({ length: THREADS }, (_, i) => join(folder, `pipe-${i}`));
  execFileSync("mkfifo", pipes);
  for (const pipe of pipes) open(pipe, "r", (_error, fd) => closeSync(fd));
  return {
    [Symbol.dispose]() {
      // With O_RDWR a pipe opens at once. It then is the writer that the blocked thread waits for.
      for (const pipe of pipes) closeSync(openSync(pipe, constants.O_RDWR));
      rmSync(folder, { recursive: true });
    },
  };
}
