import { Code, ConnectError } from "@connectrpc/connect";
import type { Logger } from "pino";
import type { Principal } from "../../domain/principal.ts";
import { retryInfo } from "../errors.ts";
import { ANY_TOKEN, type Permission, type Permissions } from "./permissions.ts";
import { KeysUnavailableError } from "./provider-keys.ts";
import { createTokenMemory } from "./token-memory.ts";
import { ExpiredTokenError, InvalidTokenError, type TokenVerifier } from "./token-verifier.ts";

/** Facts about a call that decide whether it is let in. */
export interface GatedCall {
  /** Full name of the method, such as `user.v1.UserService/GetUser`. */
  readonly method: string;
  readonly requestId: string;
  /** Value of the `authorization` header. */
  readonly authorization: string | undefined;
  /** Number of such headers that came. */
  readonly authorizationCount: number;
}

/**
 * Returns the caller if the call is permitted; undefined for a method that is open to all. Answers at once for a token
 * that it remembers.
 *
 * @throws ConnectError unauthenticated, permission_denied, or unavailable while tokens can't be verified.
 */
export type Gate = (call: GatedCall) => Principal | undefined | Promise<Principal>;

export interface AuthGateOptions {
  verifyToken: TokenVerifier;
  permissions: Permissions;
  logger: Logger;
  /** Returns milliseconds since the Unix epoch. */
  now(): number;
}

/**
 * Authenticates the caller by its bearer token (RFC 6750) and authorizes it by scope. Methods without an entry in
 * `permissions` are denied.
 */
export function createAuthGate({ verifyToken, permissions, logger, now }: AuthGateOptions): Gate {
  const tokens = createTokenMemory({ verifyToken, now });
  const authorize = (principal: Principal, permission: Permission | undefined) => {
    if (permission === undefined) throw new ConnectError("method is not permitted", Code.PermissionDenied);
    if (permission !== ANY_TOKEN && !principal.scopes.has(permission)) {
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
        // Log the message alone: jose's errors carry the token's claims. Keys that are unavailable have lines of their
        // own.
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
 * Returns the token of an `authorization` header (RFC 6750, 2.1).
 *
 * @param count Number of such headers that came. More than one is refused: a proxy in front of this server may have
 * checked another one.
 */
function bearerToken(authorization: string, count: number): string {
  const match = /^Bearer +([\w.~+/-]+=*)$/i.exec(authorization);
  if (!match?.[1] || count > 1) throw unauthenticated("authorization has to be Bearer and a token");
  return match[1];
}

function unauthenticated(message: string): ConnectError {
  return new ConnectError(message, Code.Unauthenticated);
}
