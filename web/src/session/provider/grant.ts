import { generateRandomState, type TokenEndpointResponse } from "oauth4webapi";
import { readToken } from "../read-token.ts";
import type { Grant } from "../token-store.ts";

/** Share of a token's lifetime after which it is renewed. */
const RENEW_AFTER = 0.8;

/** Returns the data that is kept with the access token. Values that a renewal leaves out stay as they were. */
export function grantOf(tokens: TokenEndpointResponse, before?: Grant): Grant {
  // By this device's clock, even if it is wrong: only the elapsed time matters.
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
