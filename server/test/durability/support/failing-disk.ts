import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export type DiskFault = "full" | "write" | "sync";

/** Disk that fails on request, for processes that are started with its settings. */
export interface FailingDisk extends Disposable {
  /** Environment of the process. */
  readonly env: Readonly<Record<string, string>>;
  fail(fault: DiskFault): void;
  recover(): void;
  /** Returns the number of system calls that have failed so far. */
  hits(): number;
}

/**
 * Compiles `failing-disk.c`. Returns undefined on a machine without a C compiler, or where libraries cannot be
 * preloaded. Such a machine can run only the quick form of these tests, which limits the size of files.
 *
 * @param path Part of the paths of the files whose writes should fail.
 */
export function createFailingDisk(path: string): FailingDisk | undefined {
  if (process.platform !== "linux") return undefined;
  const folder = mkdtempSync(join(tmpdir(), "rollcall-disk-"));
  const library = join(folder, "failing-disk.so");
  const source = join(import.meta.dirname, "failing-disk.c");
  const { status } = spawnSync("cc", ["-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], { stdio: "inherit" });
  if (status !== 0) {
    rmSync(folder, { recursive: true });
    return undefined;
  }
  // PostgreSQL runs as another user when root runs the tests.
  chmodSync(folder, 0o777);
  const control = join(folder, "fault");
  return {
    env: { LD_PRELOAD: library, FAILING_DISK: control, FAILING_PATH: path },
    fail: (fault) => writeFileSync(control, fault),
    recover: () => rmSync(control, { force: true }),
    hits: () => (existsSync(`${control}.hits`) ? statSync(`${control}.hits`).size : 0),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true }),
  };
}
