import { Code, ConnectError, type HandlerContext } from "@connectrpc/connect";
import type { Logger } from "pino";
import { abortable } from "../../runtime/abortable.ts";
import { callKey, connectionKey, principalKey } from "../context.ts";
import { retryInfo } from "../errors.ts";
import { methodName, type Permissions } from "./permissions.ts";
import { KeysUnavailableError } from "./provider-keys.ts";
import { ExpiredTokenError, InvalidTokenError, type TokenVerifier } from "./token-verifier.ts";

/** Check that runs before a request's body is read, and refuses by throwing a ConnectError. */
export type RequestGate = (context: HandlerContext) => Promise<void>;

export interface AuthGateOptions {
  verifyToken: TokenVerifier;
  permissions: Permissions;
  logger: Logger;
}

/**
 * Authenticates the caller by its bearer token (RFC 6750) and authorizes it by scope. Methods without an entry in
 * `permissions` are denied.
 */
export function createAuthGate({ verifyToken, permissions, logger }: AuthGateOptions): RequestGate {
  return async ({ method, requestHeader, signal, values }) => {
    const name = methodName(method);
    const permission = Object.hasOwn(permissions, name) ? permissions[name] : undefined;
    if (permission === "public") return;

    const call = values.get(callKey);
    const token = bearerToken(requestHeader.get("authorization"), values.get(connectionKey).authorizationCount);
    const principal = await abortable(verifyToken(token), signal).catch((error: unknown) => {
      if (signal.aborted) throw signal.reason;
      const isRefused = error instanceof InvalidTokenError;
      const requestId = call?.requestId;
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
    });
    values.set(principalKey, principal);
    if (call) call.principal = principal;

    if (permission === undefined) throw new ConnectError("method is not permitted", Code.PermissionDenied);
    if (!principal.scopes.has(permission)) {
      throw new ConnectError(`missing scope ${permission}`, Code.PermissionDenied);
    }
  };
}

/**
 * Returns the token of an `authorization` header (RFC 6750, 2.1).
 *
 * @param count Number of such headers that came. More than one is refused: a proxy in front of this server may have
 * checked another one.
 */
function bearerToken(authorization: string | null, count = 1): string {
  if (authorization === null) throw unauthenticated("missing authorization token");
  const match = /^Bearer +([\w.~+/-]+=*)$/i.exec(authorization);
  if (!match?.[1] || count > 1) throw unauthenticated("authorization has to be Bearer and a token");
  return match[1];
}

function unauthenticated(message: string): ConnectError {
  return new ConnectError(message, Code.Unauthenticated);
}
