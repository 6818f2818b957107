import type { ConnectError } from "@connectrpc/connect";
import { MAX_TIMER_MS } from "@rollcall/shared/max-timer-ms";

/** Times are in milliseconds, above 0; 2^31 - 1 (almost 25 days) stands for all that are longer, Infinity too. */
export interface PoolOptions {
  /** Connections to each address, opened as calls need them. Default 2. */
  size?: number | undefined;
  /** For a connection to be ready: name, TCP, TLS and the server's first HTTP/2 frame. Default 5 s. */
  connectTimeoutMs?: number | undefined;
  /** A connection with calls on it that has been silent for so long is sent a PING. Default 20 s. */
  pingIntervalMs?: number | undefined;
  /** A PING that is not answered in this time ends its connection. Default 10 s. */
  pingTimeoutMs?: number | undefined;
  /** A connection without calls is closed after this time. Default 60 s. */
  idleTimeoutMs?: number | undefined;
  /**
   * A connection takes new calls for this long, up to a tenth less so that not all end
   * at once; then another takes its place. Default 30 min.
   */
  maxAgeMs?: number | undefined;
  /**
   * How long a call waits while no server can be reached. 0 does not wait at all: the call
   * fails with what the first try to connect failed with. Default: until the call's deadline,
   * and 20 s for a call without one.
   */
  waitTimeoutMs?: number | undefined;
  /** Calls that may wait while there is no connection; further ones fail with unavailable. Default 5,000, which hold some 115 MiB. */
  maxWaitingCalls?: number | undefined;
  /** The same for the bytes of their messages: of a stream's, its first. Default 64 MiB. */
  maxWaitingBytes?: number | undefined;
  /** Called once for each time in which no server can be reached and calls wait; what it throws is dropped. */
  onUnreachable?: ((error: ConnectError) => void) | undefined;
  /** How long `close` lets calls go on before it cuts them. Default 10 s. */
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

/** @throws RangeError for counts that are not whole numbers from 1, and for times that are not above 0 (waitTimeoutMs: from 0). */
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
