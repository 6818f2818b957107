import type { KeyObject } from "node:crypto";
import { abortable } from "@rollcall/shared/abortable";
import type { Logger } from "pino";
import { keySetLimits, settings } from "../../limits.ts";
import { fetchKeySet } from "./fetch-key-set.ts";
import { keysFor, parseKeySet, type VerificationKey } from "./key-set.ts";
import { ProviderKeysLog } from "./provider-keys-log.ts";

/**
 * Where an identity provider's key set is, and how it is kept. Times that are not set have the defaults of `limits.ts`.
 */
export interface KeySetOptions {
  /**
   * Address of the key set (RFC 7517). It is fetched at the start, every 10 min, and for a key that the set does not
   * hold.
   */
  jwksUrl: URL;
  /** Time for which overdue keys stay valid if they can't be fetched, in milliseconds; 0 for none. */
  maxStaleMs?: number | undefined;
  /**
   * Shortest time between two fetches for keys that the set does not have, and between two failed fetches while there
   * are keys, in milliseconds.
   */
  keyCooldownMs?: number | undefined;
  /** Longest time of a fetch, in milliseconds. */
  fetchTimeoutMs?: number | undefined;
}

export interface ProviderKeysOptions extends KeySetOptions {
  logger?: Logger | undefined;
  /** Returns milliseconds since the Unix epoch. */
  now(): number;
}

/** The identity provider's keys are unavailable, which says nothing about the token. The log has the reason. */
export class KeysUnavailableError extends Error {
  override name = "KeysUnavailableError";
}

/**
 * Time since the last fetch after which calls wait for the next one, in milliseconds. It is only exceeded if nobody has
 * called for that long.
 */
const IDLE_MS = 2 * keySetLimits.refreshMs;
/** Longest such wait while there are keys that may serve, in milliseconds. */
const MAX_IDLE_WAIT_MS = 1_000;
/**
 * Time between two failed fetches while there are no keys, in milliseconds. It is short, since nobody can be let in
 * until then.
 */
const RETRY_WITHOUT_KEYS_MS = 1_000;
/** Most keys that a token is tried with. A forged token costs one verification for each. */
const MAX_CANDIDATES = 16;
/** Most calls that wait for a new key at the same time. Calls with invented keys must not block those of others. */
const MAX_SEEKING = 64;

/**
 * Keys of an identity provider, fetched in the background, one fetch at a time. A call waits for a fetch in three cases
 * only: there are no usable keys, it needs a key that may be new, or (briefly) nobody has called for a while.
 */
export class ProviderKeys {
  readonly #jwksUrl: URL;
  readonly #maxStaleMs: number;
  readonly #keyCooldownMs: number;
  readonly #fetchTimeoutMs: number;
  readonly #log: ProviderKeysLog;
  readonly #now: () => number;

  #keys: readonly VerificationKey[] = [];
  #fetches = 0;
  #fetching: Promise<void> | undefined;
  #hasFailed = false;
  /** Calls that wait for a new key. */
  #seekingCount = 0;
  /** Times at which the keys were fetched, the last fetch ended, and the last fetch for an unknown key began. */
  #fetchedAtMs = Number.NEGATIVE_INFINITY;
  #endedAtMs = Number.NEGATIVE_INFINITY;
  #soughtAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: ProviderKeysOptions) {
    const {
      jwksUrl,
      maxStaleMs = settings.authJwksMaxStaleMs.byDefault,
      keyCooldownMs = keySetLimits.cooldownMs,
      fetchTimeoutMs = keySetLimits.fetchTimeoutMs,
      logger,
      now,
    } = options;
    this.#jwksUrl = jwksUrl;
    this.#maxStaleMs = maxStaleMs;
    this.#keyCooldownMs = keyCooldownMs;
    this.#fetchTimeoutMs = fetchTimeoutMs;
    this.#log = new ProviderKeysLog(logger, now);
    this.#now = now;
    // Fetch at once: a wrong address is then logged at the start, and the first call finds its keys.
    this.#refresh();
  }

  /**
   * Resolves with the keys that may have signed a token with this header, at most 16. They are those with the name in
   * the header or, if there are none, those without a name. The list is empty if no key fits.
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

  /** Number of the fetch that the keys come from. Undefined if they are due; `find` then fetches them again. */
  get version(): number | undefined {
    return this.#elapsedMs(this.#fetchedAtMs) < keySetLimits.refreshMs ? this.#fetches : undefined;
  }

  #named(alg: string, kid: string | undefined): VerificationKey[] {
    return keysFor(alg, this.#keys).filter((key) => kid === undefined || key.kid === kid);
  }

  /** Starts a fetch if the keys are due, and waits for it if necessary. @throws KeysUnavailableError */
  async #haveKeys(): Promise<void> {
    if (this.#elapsedMs(this.#fetchedAtMs) < keySetLimits.refreshMs) return;
    const isIdle = this.#elapsedMs(this.#endedAtMs) >= IDLE_MS;
    const fetching = this.#refresh();
    if (this.#usableMs === 0) await fetching;
    else if (isIdle && fetching) await abortable(fetching, AbortSignal.timeout(MAX_IDLE_WAIT_MS)).catch(() => {});
    if (this.#usableMs === 0) throw new KeysUnavailableError("there are no keys");
  }

  /**
   * Fetches the keys again for an unknown key, which may be new or invented.
   *
   * @throws KeysUnavailableError if too many calls wait for one already.
   */
  async #seek(): Promise<void> {
    if (!this.#fetching && this.#elapsedMs(this.#soughtAtMs) < this.#keyCooldownMs) return;
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
    const retryMs = this.#usableMs > 0 ? this.#keyCooldownMs : Math.min(RETRY_WITHOUT_KEYS_MS, this.#keyCooldownMs);
    if (!this.#fetching && this.#hasFailed && this.#elapsedMs(this.#endedAtMs) < retryMs) return undefined;
    this.#fetching ??= this.#fetch().finally(() => {
      this.#fetching = undefined;
      this.#endedAtMs = this.#now();
    });
    return this.#fetching;
  }

  async #fetch(): Promise<void> {
    try {
      const { keys, leftOut } = parseKeySet(await fetchKeySet(this.#jwksUrl, this.#fetchTimeoutMs));
      this.#keys = keys;
      this.#fetches += 1;
      this.#fetchedAtMs = this.#now();
      this.#hasFailed = false;
      this.#log.fetched(leftOut);
    } catch (error) {
      this.#hasFailed = true;
      this.#log.failed(error, this.#usableMs);
    }
  }

  /** Time for which the keys stay valid, in milliseconds. */
  get #usableMs(): number {
    return Math.max(0, keySetLimits.refreshMs + this.#maxStaleMs - this.#elapsedMs(this.#fetchedAtMs));
  }

  /** Returns the elapsed time in milliseconds; infinite if the clock was set back to before the start. */
  #elapsedMs(sinceMs: number): number {
    const elapsedMs = this.#now() - sinceMs;
    return elapsedMs >= 0 ? elapsedMs : Number.POSITIVE_INFINITY;
  }
}
