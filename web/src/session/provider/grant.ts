import { generateRandomState, type TokenEndpointResponse } from "oauth4webapi";
import { readToken } from "../read-token.ts";
import type { Grant } from "../token-store.ts";

/** Part of a token's life after which it is renewed. */
const RENEW_AFTER = 0.8;

/** Returns what is kept beside the access token. What a renewal leaves out stays as it was. */
export function grantOf(tokens: TokenEndpointResponse, before?: Grant): Grant {
  // By this device's clock, however wrong: only the time that passes matters.
  const nowMs = Date.now();
  const lifeMs = tokens.expires_in === undefined ? remainingMs(tokens.access_token, nowMs) : tokens.expires_in * 1_000;
  return {
    refreshToken: tokens.refresh_token ?? before?.refreshToken,
    idToken: tokens.id_token ?? before?.idToken,
    renewAtMs: nowMs + lifeMs * RENEW_AFTER,
    id: before?.id ?? generateRandomState(),
  };
}

function remainingMs(token: string, nowMs: number): number {
  return Math.max(0, (readToken(token)?.expiresAtMs ?? nowMs) - nowMs);
}
