import type { KeyObject } from "node:crypto";
import type { Logger } from "pino";
import { abortable } from "../../runtime/abortable.ts";
import { fetchKeySet } from "./fetch-key-set.ts";
import { keysFor, parseKeySet, type VerificationKey } from "./key-set.ts";
import { ProviderKeysLog } from "./provider-keys-log.ts";

export interface ProviderKeysOptions {
  /** Address of the identity provider's key set (RFC 7517). */
  url: URL;
  /**
   * How long keys may serve beyond the time when they are due, if they can't be fetched, in milliseconds; 0 for not at
   * all. Default 1 h: about the lifetime of tokens that the provider has issued before.
   */
  maxStaleMs?: number | undefined;
  /**
   * Shortest time between two fetches for keys that the set does not have, and between two failed fetches while there
   * are keys, in milliseconds. Default 30 s.
   */
  cooldownMs?: number | undefined;
  /** Longest time of a fetch, in milliseconds. Default 5 s. */
  timeoutMs?: number | undefined;
  logger?: Logger | undefined;
  /** Milliseconds since the Unix epoch. */
  now(): number;
}

/** The identity provider's keys are unavailable, which says nothing about the token. The log has the reason. */
export class KeysUnavailableError extends Error {
  override name = "KeysUnavailableError";
}

/** Age at which keys are due to be fetched again, in milliseconds. */
const REFRESH_MS = 10 * 60 * 1_000;
/**
 * Time since the last fetch after which calls wait for the next one, in milliseconds. Nobody has called for that long.
 */
const IDLE_MS = 2 * REFRESH_MS;
/** Longest such wait while there are keys that may serve, in milliseconds. */
const MAX_IDLE_WAIT_MS = 1_000;
/**
 * Time between two failed fetches while there are no keys, in milliseconds. It is short, since nobody can be let in
 * until then.
 */
const RETRY_WITHOUT_KEYS_MS = 1_000;
/** Most keys that a token is tried with, since a forged token costs a verification with each. */
const MAX_CANDIDATES = 16;
/** Most calls that wait for a new key at once. Calls with invented keys must not block those of others. */
const MAX_SEEKING = 64;

/**
 * Keys of an identity provider, fetched in the background, one fetch at a time. A call waits for a fetch in three cases
 * only: there are no usable keys, it needs a key that may be new, or (briefly) nobody has called for a while.
 */
export class ProviderKeys {
  readonly #url: URL;
  readonly #maxStaleMs: number;
  readonly #cooldownMs: number;
  readonly #timeoutMs: number;
  readonly #log: ProviderKeysLog;
  readonly #now: () => number;

  #keys: readonly VerificationKey[] = [];
  #fetching: Promise<void> | undefined;
  #hasFailed = false;
  /** Calls that wait for a new key. */
  #seekingCount = 0;
  /** Times when the keys were fetched, when the last fetch ended, and when one last began for an unknown key. */
  #fetchedAtMs = Number.NEGATIVE_INFINITY;
  #endedAtMs = Number.NEGATIVE_INFINITY;
  #soughtAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: ProviderKeysOptions) {
    const { url, maxStaleMs = 3_600_000, cooldownMs = 30_000, timeoutMs = 5_000, logger, now } = options;
    this.#url = url;
    this.#maxStaleMs = maxStaleMs;
    this.#cooldownMs = cooldownMs;
    this.#timeoutMs = timeoutMs;
    this.#log = new ProviderKeysLog(logger, now);
    this.#now = now;
    // Fetch at once, so that a wrong address is in the log from the start and the first call finds its keys.
    this.#refresh();
  }

  /**
   * Resolves with the keys that may have signed a token with this header, at most 16: those with the name in the header
   * or, if there are none, those without a name. Resolves with an empty list if no key fits.
   *
   * @throws KeysUnavailableError
   */
  async find({ alg, kid }: { alg: string; kid: string | undefined }): Promise<KeyObject[]> {
    await this.#haveKeys();
    if (this.#named(alg, kid).length === 0) await this.#seek();
    const named = this.#named(alg, kid);
    const candidates = named.length > 0 ? named : keysFor(alg, this.#keys).filter((key) => key.kid === undefined);
    // The provider may have a new key that could not be fetched.
    if (candidates.length === 0 && this.#hasFailed) throw new KeysUnavailableError("a new key can't be had");
    return candidates.slice(0, MAX_CANDIDATES).map(({ key }) => key);
  }

  #named(alg: string, kid: string | undefined): VerificationKey[] {
    return keysFor(alg, this.#keys).filter((key) => kid === undefined || key.kid === kid);
  }

  /** Starts a fetch if the keys are due, and waits for it if necessary. @throws KeysUnavailableError */
  async #haveKeys(): Promise<void> {
    if (this.#elapsedMs(this.#fetchedAtMs) < REFRESH_MS) return;
    const isIdle = this.#elapsedMs(this.#endedAtMs) >= IDLE_MS;
    const fetching = this.#refresh();
    if (this.#usableMs === 0) await fetching;
    else if (isIdle && fetching) await abortable(fetching, AbortSignal.timeout(MAX_IDLE_WAIT_MS)).catch(() => {});
    if (this.#usableMs === 0) throw new KeysUnavailableError("there are no keys");
  }

  /**
   * Fetches the keys again for a key that is unknown: either new or invented.
   *
   * @throws KeysUnavailableError if too many calls wait for one already.
   */
  async #seek(): Promise<void> {
    if (!this.#fetching && this.#elapsedMs(this.#soughtAtMs) < this.#cooldownMs) return;
    const fetching = this.#refresh();
    if (!fetching) return;
    this.#soughtAtMs = this.#now();
    if (this.#seekingCount >= MAX_SEEKING) throw new KeysUnavailableError("too many calls wait for a new key");
    this.#seekingCount += 1;
    await fetching;
    this.#seekingCount -= 1;
  }

  /** Returns the current fetch or a new one, which never rejects. Returns undefined if one has failed just now. */
  #refresh(): Promise<void> | undefined {
    const retryMs = this.#usableMs > 0 ? this.#cooldownMs : Math.min(RETRY_WITHOUT_KEYS_MS, this.#cooldownMs);
    if (!this.#fetching && this.#hasFailed && this.#elapsedMs(this.#endedAtMs) < retryMs) return undefined;
    this.#fetching ??= this.#fetch().finally(() => {
      this.#fetching = undefined;
      this.#endedAtMs = this.#now();
    });
    return this.#fetching;
  }

  async #fetch(): Promise<void> {
    try {
      const { keys, leftOut } = parseKeySet(await fetchKeySet(this.#url, this.#timeoutMs));
      this.#keys = keys;
      this.#fetchedAtMs = this.#now();
      this.#hasFailed = false;
      this.#log.fetched(leftOut);
    } catch (error) {
      this.#hasFailed = true;
      this.#log.failed(error, this.#usableMs);
    }
  }

  /** How long the keys may still serve, in milliseconds. */
  get #usableMs(): number {
    return Math.max(0, REFRESH_MS + this.#maxStaleMs - this.#elapsedMs(this.#fetchedAtMs));
  }

  /** Returns the time since then, in milliseconds; infinite if the clock was set back to before it. */
  #elapsedMs(sinceMs: number): number {
    const elapsedMs = this.#now() - sinceMs;
    return elapsedMs >= 0 ? elapsedMs : Number.POSITIVE_INFINITY;
  }
}
