import type { ConnectError } from "@connectrpc/connect";
import { MAX_TIMER_MS } from "@rollcall/shared/max-timer-ms";

/**
 * Options of a pool. Times are in milliseconds, above 0. Any time above 2^31 - 1 (almost 25 days), and Infinity too,
 * counts as 2^31 - 1.
 */
export interface PoolOptions {
  /**
   * Most connections to each address. Over HTTP/2, another one is opened only when the others have all streams that the
   * server accepts. Default 2.
   */
  size?: number | undefined;
  /** Time for a connection to become ready: name lookup, TCP, TLS and the server's first HTTP/2 frame. Default 5 s. */
  connectTimeoutMs?: number | undefined;
  /**
   * Silence after which a connection with open calls is sent a PING. After a call that has ended without an answer, 1 s
   * of silence since its request is enough. Default 20 s.
   */
  pingIntervalMs?: number | undefined;
  /** Time for the answer to a PING, after which the connection is ended. Default 10 s. */
  pingTimeoutMs?: number | undefined;
  /** Time after which a connection without calls is closed. Default 60 s. */
  idleTimeoutMs?: number | undefined;
  /**
   * Time after which a connection takes no new calls, and another takes its place. It is shortened by up to a tenth, so
   * that not all end at the same time. Default 30 min.
   */
  maxAgeMs?: number | undefined;
  /**
   * Time that a call waits while no server can be reached or accepts calls. With 0 it does not wait, and fails with the
   * error of the first attempt to connect. Default: until the call's deadline, and 20 s for a call without one.
   */
  waitTimeoutMs?: number | undefined;
  /**
   * Calls that may wait while no connection accepts any; more fail with unavailable. Default 5,000, which take some 115
   * MiB.
   */
  maxWaitingCalls?: number | undefined;
  /** The same for the bytes of their messages; a stream counts with its first. Default 64 MiB. */
  maxWaitingBytes?: number | undefined;
  /**
   * Called once for each period in which no server can be reached and calls wait. Errors that it throws are dropped.
   */
  onUnreachable?: ((error: ConnectError) => void) | undefined;
  /** How long `close` lets open calls run before it cuts them. Default 10 s. */
  closeTimeoutMs?: number | undefined;
}

type Unset = "waitTimeoutMs" | "onUnreachable";

export type PoolSettings = {
  readonly [K in Exclude<keyof PoolOptions, Unset>]-?: NonNullable<PoolOptions[K]>;
} & Pick<PoolOptions, Unset>;

const defaults: PoolSettings = {
  size: 2,
  connectTimeoutMs: 5_000,
  pingIntervalMs: 20_000,
  pingTimeoutMs: 10_000,
  idleTimeoutMs: 60_000,
  maxAgeMs: 30 * 60_000,
  closeTimeoutMs: 10_000,
  maxWaitingCalls: 5_000,
  maxWaitingBytes: 64 * 1024 ** 2,
};

/**
 * @throws RangeError for counts that are not whole numbers from 1, and for times that are not above 0 (waitTimeoutMs:
 * from 0).
 */
export function toPoolSettings(options: PoolOptions = {}): PoolSettings {
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const { size, maxWaitingCalls, maxWaitingBytes, waitTimeoutMs, onUnreachable, ...times }: PoolSettings = {
    ...defaults,
    ...given,
  };
  for (const [name, count] of Object.entries({ size, maxWaitingCalls, maxWaitingBytes })) {
    if (!Number.isInteger(count) || count < 1) throw new RangeError(`pool.${name} must be 1 or more`);
  }
  return {
    size,
    maxWaitingCalls,
    maxWaitingBytes,
    onUnreachable,
    waitTimeoutMs: waitTimeoutMs === 0 ? 0 : waitTimeoutMs && toTimerMs("waitTimeoutMs", waitTimeoutMs),
    connectTimeoutMs: toTimerMs("connectTimeoutMs", times.connectTimeoutMs),
    pingIntervalMs: toTimerMs("pingIntervalMs", times.pingIntervalMs),
    pingTimeoutMs: toTimerMs("pingTimeoutMs", times.pingTimeoutMs),
    idleTimeoutMs: toTimerMs("idleTimeoutMs", times.idleTimeoutMs),
    maxAgeMs: toTimerMs("maxAgeMs", times.maxAgeMs),
    closeTimeoutMs: toTimerMs("closeTimeoutMs", times.closeTimeoutMs),
  };
}

function toTimerMs(name: keyof PoolOptions, ms: number): number {
  if (!(ms > 0)) throw new RangeError(`pool.${name} must be above 0`);
  return Math.min(ms, MAX_TIMER_MS);
}
