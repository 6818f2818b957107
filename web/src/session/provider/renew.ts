import { None, processRefreshTokenResponse, ResponseBodyError, refreshTokenGrantRequest } from "oauth4webapi";
import { noteServerClock } from "../session.ts";
import type { Grant } from "../token-store.ts";
import { findProvider, requestOptions } from "./client.ts";
import { grantOf } from "./grant.ts";

/**
 * Fetches another token by the refresh token, which providers replace by another one too.
 *
 * @returns "refused" if the refresh token is no longer valid, so that only another sign-in helps.
 * @throws errors after which another attempt may succeed.
 */
export async function renewGrant(
  grant: Grant & { refreshToken: string },
): Promise<{ token: string; grant: Grant } | "refused"> {
  const { options, server, client, aheadMs } = await findProvider();
  const response = await refreshTokenGrantRequest(server, client, None(), grant.refreshToken, {
    ...requestOptions(options),
    additionalParameters: options.parameters,
  });
  try {
    noteServerClock(aheadMs);
    const tokens = await processRefreshTokenResponse(server, client, response);
    return { token: tokens.access_token, grant: grantOf(tokens, grant) };
  } catch (error) {
    if (error instanceof ResponseBodyError && error.status < 500) return "refused";
    throw error;
  }
}
