import { stat } from "node:fs/promises";
import { PemError } from "@rollcall/pem";
import { ConfigError } from "@rollcall/shared/settings/config-error";
import type { Logger } from "pino";

/**
 * Interval at which the files are checked, in milliseconds. They are read when two checks after a change see the same
 * state: certificate and key are two files, and writing both may take a moment.
 */
const INTERVAL_MS = 2_000;

export interface TlsFilesOptions<Tls> {
  /** Absolute paths of the files. */
  files: readonly string[];
  /** Contents at the start. */
  current: Tls;
  /** Reads all files. @throws ConfigError with the faults found in them. */
  load(): Tls;
  /** Serves with the new files. @throws PemError when they can't be used; the old ones then stay in use. */
  apply(tls: Tls): void;
  logger: Logger;
  intervalMs?: number | undefined;
}

export interface TlsFiles {
  /** Reads the files now, whether or not they have changed. */
  reload(): void;
  stop(): void;
}

/**
 * Reads the files of TLS again when one of them changes. Files that can't be used are logged and left alone until the
 * next change; the last good ones stay in use.
 *
 * Checks the files by their paths (`stat`), so that it also sees a replaced file, and a link that leads elsewhere:
 * Kubernetes changes a mounted secret by swapping a link in its path.
 */
export function watchTlsFiles<Tls>(options: TlsFilesOptions<Tls>): TlsFiles {
  const { files, load, apply, logger, intervalMs = INTERVAL_MS } = options;
  let served = JSON.stringify(options.current);
  const reload = () => {
    try {
      const tls = load();
      const read = JSON.stringify(tls);
      if (read === served) {
        logger.debug({ files }, "certificates read again: they are the same");
        return;
      }
      apply(tls);
      served = read;
      logger.info({ files }, "certificates read again: new connections get them");
    } catch (error) {
      const problems = problemsOf(error);
      logger.error({ problems }, "certificates not read again: the last good ones serve on");
    }
  };
  // Undefined differs from every state, so files that have changed since the start are read too.
  let seen: string | undefined;
  let hasChanged = false;
  const look = async () => {
    const state = (await Promise.all(files.map(stateOf))).join();
    if (state !== seen) hasChanged = true;
    else if (hasChanged) {
      hasChanged = false;
      reload();
    }
    seen = state;
    if (!isStopped) timer = setTimeout(look, intervalMs).unref();
  };
  let isStopped = false;
  let timer = setTimeout(look, intervalMs).unref();
  return {
    reload,
    stop() {
      isStopped = true;
      clearTimeout(timer);
    },
  };
}

/** Returns a text that changes when a file changes, or when its path leads to another file. */
async function stateOf(file: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeNs } = await stat(file, { bigint: true });
    return `${dev} ${ino} ${size} ${mtimeNs}`;
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code);
  }
}

function problemsOf(error: unknown): readonly string[] {
  if (error instanceof ConfigError) return error.problems;
  if (error instanceof PemError) return [error.message];
  // OpenSSL's own message, such as "ee key too small".
  const { reason, code } = error as { reason?: string; code?: string };
  return [reason ?? code ?? "unknown reason"];
}
