import { MAX_TIMER_MS } from "../../delay.ts";

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
  /** How long `close` lets calls go on before it cuts them. Default 10 s. */
  closeTimeoutMs?: number | undefined;
}

export type PoolSettings = { readonly [K in keyof PoolOptions]-?: NonNullable<PoolOptions[K]> };

const defaults: PoolSettings = {
  size: 2,
  connectTimeoutMs: 5_000,
  pingIntervalMs: 20_000,
  pingTimeoutMs: 10_000,
  idleTimeoutMs: 60_000,
  maxAgeMs: 30 * 60_000,
  closeTimeoutMs: 10_000,
};

/** @throws RangeError for a size that is not a whole number from 1, and for a time that is not above 0. */
export function toPoolSettings(options: PoolOptions = {}): PoolSettings {
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const { size, ...times }: PoolSettings = { ...defaults, ...given };
  if (!Number.isInteger(size) || size < 1) throw new RangeError("pool.size must be 1 or more");
  return {
    size,
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
