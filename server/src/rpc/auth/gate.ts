import { Code, ConnectError } from "@connectrpc/connect";
import type { Logger } from "pino";
import type { Principal } from "../../domain/principal.ts";
import { retryInfo } from "../errors.ts";
import type { Permission, Permissions } from "./permissions.ts";
import { KeysUnavailableError } from "./provider-keys.ts";
import { createTokenMemory } from "./token-memory.ts";
import { ExpiredTokenError, InvalidTokenError, type TokenVerifier } from "./token-verifier.ts";

/** What is to be known of a call to let it in. */
export interface GatedCall {
  /** Whom the call is of, as `user.v1.UserService/GetUser`. */
  readonly method: string;
  readonly requestId: string;
  /** Of the `authorization` header. */
  readonly authorization: string | undefined;
  /** Number of such headers that came. */
  readonly authorizationCount: number;
}

/**
 * Returns who makes a call, if it may be made; undefined for a method that is open to all.
 * It answers at once for a token that it remembers.
 *
 * @throws ConnectError unauthenticated, permission_denied, or unavailable while tokens can't be verified.
 */
export type Gate = (call: GatedCall) => Principal | undefined | Promise<Principal>;

export interface AuthGateOptions {
  verifyToken: TokenVerifier;
  permissions: Permissions;
  logger: Logger;
  /** Milliseconds since the Unix epoch. */
  now(): number;
}

/**
 * Authenticates the caller by its bearer token (RFC 6750) and authorizes it by
 * scope. What is not permitted by name is denied.
 */
export function createAuthGate({ verifyToken, permissions, logger, now }: AuthGateOptions): Gate {
  const tokens = createTokenMemory({ verifyToken, now });
  const authorize = (principal: Principal, permission: Permission | undefined) => {
    if (permission === undefined) throw new ConnectError("method is not permitted", Code.PermissionDenied);
    if (!principal.scopes.has(permission)) {
      throw new ConnectError(`missing scope ${permission}`, Code.PermissionDenied);
    }
    return principal;
  };
  const verify = async (token: string, authorization: string, requestId: string) => {
    try {
      return await tokens.verify(token, authorization);
    } catch (error) {
      const isRefused = error instanceof InvalidTokenError;
      if (isRefused || error instanceof KeysUnavailableError) {
        // The message alone: jose's errors carry the token's claims. Keys that can't be had have lines of their own.
        const { message: reason } = error.cause instanceof Error ? error.cause : error;
        logger.debug({ requestId, reason }, "token not accepted");
      } else {
        logger.error({ requestId, err: error }, "token not accepted");
      }
      throw isRefused
        ? unauthenticated(error instanceof ExpiredTokenError ? "token has expired" : "invalid token")
        : new ConnectError("tokens can't be verified at the moment", Code.Unavailable, undefined, [retryInfo(5)]);
    }
  };
  return ({ method, requestId, authorization, authorizationCount }) => {
    const permission = Object.hasOwn(permissions, method) ? permissions[method] : undefined;
    if (permission === "public") return undefined;
    if (authorization === undefined) throw unauthenticated("missing authorization token");
    const principal = authorizationCount === 1 ? tokens.recall(authorization) : undefined;
    if (principal) return authorize(principal, permission);
    return verify(bearerToken(authorization, authorizationCount), authorization, requestId).then((verified) =>
      authorize(verified, permission),
    );
  };
}

/**
 * The token of an `authorization` header (RFC 6750, 2.1).
 *
 * @param count Number of such headers that came. More than one is refused: what is in front of this server may have
 * checked another one than this.
 */
function bearerToken(authorization: string, count: number): string {
  const match = /^Bearer +([\w.~+/-]+=*)$/i.exec(authorization);
  if (!match?.[1] || count > 1) throw unauthenticated("authorization has to be Bearer and a token");
  return match[1];
}

function unauthenticated(message: string): ConnectError {
  return new ConnectError(message, Code.Unauthenticated);
}
