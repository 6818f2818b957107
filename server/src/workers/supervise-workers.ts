import cluster, { type Worker } from "node:cluster";
import type { Logger } from "pino";
import { MetricsGatherer } from "./exchange-metrics.ts";
import { mergeLines } from "./merge-lines.ts";

/** Wait before an ended worker is started again, in milliseconds. It doubles each time a worker ends again soon. */
const FIRST_RESTART_MS = 100;
const MAX_RESTART_MS = 10_000;
/** Time of service after which the next restart has the shortest wait again. */
const STEADY_MS = 60_000;
/** Time beyond the longest stop after which a worker that has not ended is killed. */
const KILL_MARGIN_MS = 3_000;

/** Message that a worker sends when it serves. */
export const SERVING = "rollcall worker serves";

export interface SupervisorOptions {
  /** Number of processes. */
  workers: number;
  /** Variables that all workers get, in addition to those of this process. */
  env: Readonly<Record<string, string>>;
  /** Longest time of a stop, in milliseconds: the delay and the grace together. */
  stopTimeoutMs: number;
  /** Receives the lines that the workers log, each with the worker's number. */
  output: { write(lines: string): void };
  /** Receives the workers' standard error, unchanged. */
  errorOutput: NodeJS.WritableStream;
  logger: Logger;
}

export interface Supervisor {
  /** Ends all workers by SIGTERM, so that each drains. */
  stop(): void;
  /** Forwards SIGHUP, so that each worker reads its certificates again. */
  reload(): void;
  /** Resolves when all have ended: with 0 after a stop, or with the exit code of a worker that could not start. */
  readonly ended: Promise<number>;
}

/** Place of a worker, with the process that has it at the moment. */
interface Place {
  readonly number: number;
  worker: Worker | undefined;
  startedAtMs: number;
  /** Number of ends in a row that came soon after a start. */
  failures: number;
}

/**
 * Runs workers: further processes of this program that all serve the same port. A worker that ends is started again
 * after a moment, while the others serve. Workers end by themselves when this process is gone. A worker that is asked
 * for metrics gets those of all workers from here.
 */
export function superviseWorkers(options: SupervisorOptions): Supervisor {
  const { env, stopTimeoutMs, output, errorOutput, logger } = options;
  const places: Place[] = Array.from({ length: options.workers }, (_, index) => {
    return { number: index + 1, worker: undefined, startedAtMs: 0, failures: 0 };
  });
  const { promise: ended, resolve: end } = Promise.withResolvers<number>();
  const metrics = new MetricsGatherer(options.workers);
  const restarts = new Set<NodeJS.Timeout>();
  let exitCode = 0;
  let isStopping = false;
  let hasServed = false;
  let killer: NodeJS.Timeout | undefined;

  const each = (signal: NodeJS.Signals) => {
    for (const { worker } of places) worker?.process.kill(signal);
  };
  const endIfAllHave = () => {
    if (places.some(({ worker }) => worker)) return;
    clearTimeout(killer);
    end(exitCode);
  };
  const stop = () => {
    if (isStopping) return;
    isStopping = true;
    for (const timer of restarts) clearTimeout(timer);
    each("SIGTERM");
    killer = setTimeout(() => {
      logger.error("workers have not stopped in time: they are killed");
      each("SIGKILL");
    }, stopTimeoutMs + KILL_MARGIN_MS);
    endIfAllHave();
  };
  const onEnd = (place: Place, code: number | null, signal: NodeJS.Signals | null) => {
    place.worker = undefined;
    metrics.remove(place.number);
    if (isStopping) {
      exitCode ||= code ?? 1;
      endIfAllHave();
      return;
    }
    if (!hasServed) {
      // No worker has started yet, so the next try would fail too. The worker's own log line says why.
      exitCode = code || 1;
      stop();
      return;
    }
    if (performance.now() - place.startedAtMs >= STEADY_MS) place.failures = 0;
    const restartMs = Math.min(FIRST_RESTART_MS * 2 ** place.failures, MAX_RESTART_MS);
    place.failures += 1;
    logger.error({ worker: place.number, code, signal, restartMs }, "worker ended: it is started again");
    const timer = setTimeout(() => {
      restarts.delete(timer);
      start(place);
    }, restartMs);
    restarts.add(timer);
  };
  const start = (place: Place) => {
    const worker = cluster.fork({ ...env });
    const { process: child } = worker;
    place.worker = worker;
    place.startedAtMs = performance.now();
    worker.on("message", (message) => {
      if (message !== SERVING) return;
      hasServed = true;
      metrics.add(place.number, worker);
      logger.info({ worker: place.number, pid: child.pid }, "worker serves");
    });
    mergeLines(child.stdout, output, place.number);
    child.stderr?.pipe(errorOutput, { end: false });
    // "close" comes after all output of the process has been read.
    child.once("close", (code: number | null, signal: NodeJS.Signals | null) => onEnd(place, code, signal));
  };

  cluster.setupPrimary({ silent: true });
  for (const place of places) start(place);
  return { stop, reload: () => each("SIGHUP"), ended };
}
