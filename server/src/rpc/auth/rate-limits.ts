import { createHash } from "node:crypto";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Principal } from "../../domain/principal.ts";
import { MAX_RATE_LIMITED_KEYS } from "../../limits.ts";
import { RateLimiter } from "../../runtime/rate-limiter.ts";
import { retryInfo } from "../errors.ts";

export interface RateLimitOptions {
  /** Calls a second of each principal, and of each address among calls without an accepted token. */
  perSecond: number;
  /** Calls that may come together after a pause. Default: as many as in two seconds. */
  burst?: number | undefined;
}

/** Receives the headers that tell a caller how much of its limit is left. */
export interface LimitedCall {
  rateLimit: readonly string[] | undefined;
}

/** Limits on calls, by their callers. The functions throw a ConnectError with the code resource_exhausted. */
export interface RateLimits {
  spendOfPrincipal(principal: Principal, call: LimitedCall | undefined): void;
  /** @param address Undefined for a caller without a limit by address. */
  spendOfAddress(address: string | undefined, call: LimitedCall | undefined): void;
  /** Gives a call back to its address: its token was good, so it counts for its principal, or could not be verified. */
  refundAddress(address: string | undefined): void;
}

/**
 * Longest name that is used as a key, in characters; longer ones are hashed. An identity provider chooses the names,
 * and there are many keys.
 */
const MAX_KEY_LENGTH = 128;

/** Creates the limits; undefined if there are none. */
export function createRateLimits({ perSecond, burst = 0 }: RateLimitOptions): RateLimits | undefined {
  if (perSecond === 0) return undefined;
  const size = burst === 0 ? Math.max(1, Math.ceil(2 * perSecond)) : burst;
  const create = (name: string) => {
    const limiter = new RateLimiter({ perSecond, burst: size, maxKeys: MAX_RATE_LIMITED_KEYS });
    const policy = `"${name}";q=${size};w=${Math.ceil(size / perSecond)}`;
    return {
      limiter,
      spend(key: string, call: LimitedCall | undefined) {
        const waitMs = limiter.spend(key);
        const { left, fullInMs } = limiter.stateOf(key);
        const resetSeconds = Math.ceil((waitMs || fullInMs) / 1_000);
        if (call) call.rateLimit = ["ratelimit-policy", policy, "ratelimit", `"${name}";r=${left};t=${resetSeconds}`];
        if (waitMs > 0) throw rateExceeded(waitMs);
      },
    };
  };
  const principals = create("principal");
  const addresses = create("address");
  return {
    spendOfPrincipal: ({ subject }, call) => principals.spend(keyOf(subject), call),
    spendOfAddress(address, call) {
      if (address !== undefined) addresses.spend(address, call);
    },
    refundAddress(address) {
      if (address !== undefined) addresses.limiter.refund(address);
    },
  };
}

/** Returns the key under which a principal is counted. */
export function keyOf(subject: string): string {
  return subject.length <= MAX_KEY_LENGTH ? subject : createHash("sha256").update(subject).digest("base64");
}

/**
 * Creates the error of a caller over its limit, with the time to wait in every form that clients know:
 * google.rpc.RetryInfo, `grpc-retry-pushback-ms` (gRFC A6) and `Retry-After` (RFC 9110, 10.2.3).
 */
export function rateExceeded(waitMs: number, message = "rate limit exceeded"): ConnectError {
  const ms = Math.ceil(waitMs);
  const headers = { "grpc-retry-pushback-ms": String(ms), "retry-after": String(Math.ceil(ms / 1_000)) };
  return new ConnectError(message, Code.ResourceExhausted, headers, [retryInfo(ms / 1_000)]);
}
