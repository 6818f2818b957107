import type { DescMethod } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Logger } from "pino";
import type { Principal } from "../../domain/principal.ts";
import { certificateExpired } from "../call-errors.ts";
import { retryInfo } from "../errors.ts";
import { HEALTH_SERVICE } from "../health/is-health-check.ts";
import { type ClientCertificate, type ClientScopes, createCertificateCallers } from "./client-certificate.ts";
import { ANY_TOKEN, type Permission } from "./permissions.ts";
import { KeysUnavailableError } from "./provider-keys.ts";
import type { LimitedCall, RateLimits } from "./rate-limits.ts";
import type { LimitedStream, StreamLimits } from "./stream-limits.ts";
import { createTokenMemory } from "./token-memory.ts";
import { ExpiredTokenError, InvalidTokenError, type TokenVerifier } from "./token-verifier.ts";

/** Facts about a call that decide whether it is let in. */
export interface GatedCall {
  readonly method: DescMethod;
  readonly requestId: string;
  /** Value of the `authorization` header. */
  readonly authorization: string | undefined;
  /** Number of `authorization` headers in the request. */
  readonly authorizationCount: number;
  /** Address that rate limits count by; undefined for a caller without such limits. */
  readonly address: string | undefined;
  /** Receives the caller as soon as it is known, permitted or not, and the rest of its limit. */
  readonly record: (LimitedCall & LimitedStream & { principal: Principal | undefined }) | undefined;
  /** Whether the call has many messages. */
  readonly isStream: boolean;
  /** Certificate of the client at the other end of the connection. */
  readonly certificate: ClientCertificate | undefined;
}

/**
 * Returns the caller if the call is permitted; undefined for a method that is open to all. Returns synchronously for a
 * token that it remembers.
 *
 * @throws ConnectError unauthenticated, permission_denied, resource_exhausted for a call over a rate limit, or
 * unavailable while tokens can't be verified.
 */
export type Gate = (call: GatedCall) => Principal | undefined | Promise<Principal>;

export interface AuthGateOptions {
  verifyToken: TokenVerifier;
  /** Returns the permission of a method, or undefined if it is denied to all. */
  permissionOf(method: DescMethod): Permission | undefined;
  limits: RateLimits | undefined;
  streamLimits: StreamLimits | undefined;
  /** Returns the scopes of clients that need no token. */
  clientScopes(): ClientScopes | undefined;
  logger: Logger;
  /** Returns milliseconds since the Unix epoch. */
  now(): number;
}

/**
 * Authenticates the caller by its bearer token (RFC 6750) or, if it sends none, by its certificate, and authorizes it
 * by scope. Methods without a permission are denied. A call counts for the limit of its principal or, without a good
 * token or certificate, of its address.
 *
 * If there is a token, even a bad one, the certificate is ignored: a proxy or service that passes on its users' tokens
 * must not lend them its own scopes.
 */
export function createAuthGate(options: AuthGateOptions): Gate {
  const { verifyToken, permissionOf, limits, streamLimits, clientScopes, logger, now } = options;
  const tokens = createTokenMemory({ verifyToken, now });
  const authorize = (principal: Principal, permission: Permission | undefined, { record, isStream }: GatedCall) => {
    if (record) record.principal = principal;
    limits?.spendOfPrincipal(principal, record);
    if (permission === undefined) throw new ConnectError("method is not permitted", Code.PermissionDenied);
    if (permission !== ANY_TOKEN && !principal.scopes.has(permission)) {
      throw new ConnectError(`missing scope ${permission}`, Code.PermissionDenied);
    }
    if (streamLimits && isStream && record) streamLimits.open(principal, record);
    return principal;
  };
  const verify = async (token: string, authorization: string, { requestId, address }: GatedCall) => {
    try {
      const principal = await tokens.verify(token, authorization);
      limits?.refundAddress(address);
      return principal;
    } catch (error) {
      const isRefused = error instanceof InvalidTokenError;
      if (!isRefused) limits?.refundAddress(address);
      if (isRefused || error instanceof KeysUnavailableError) {
        // Log only the message: jose's errors carry the token's claims. Failures to get the keys have log lines of
        // their own.
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
  const callerOf = createCertificateCallers(clientScopes);
  return (call) => {
    const { method, authorization, authorizationCount, certificate, address, record } = call;
    const permission = permissionOf(method);
    if (permission === "public") {
      if (limits && !isProbe(method)) limits.spendOfAddress(address, record);
      return undefined;
    }
    if (authorization === undefined) {
      const caller = certificate && callerOf(certificate);
      // The certificate may have expired while its connection stayed open.
      if (caller && now() < caller.expiresAtMs) return authorize(caller, permission, call);
      limits?.spendOfAddress(address, record);
      throw caller ? certificateExpired() : unauthenticated("missing authorization token");
    }
    const principal = authorizationCount === 1 ? tokens.recall(authorization) : undefined;
    if (principal) return authorize(principal, permission, call);
    limits?.spendOfAddress(address, record);
    return verify(bearerToken(authorization, authorizationCount), authorization, call).then((verified) =>
      authorize(verified, permission, call),
    );
  };
}

/** Creates the gate of a server without authentication. It applies only the limits by address. */
export function createOpenGate(limits: RateLimits | undefined): Gate {
  return ({ method, address, record }) => {
    if (limits && !isProbe(method)) limits.spendOfAddress(address, record);
    return undefined;
  };
}

function isProbe({ parent }: DescMethod): boolean {
  return parent.typeName === HEALTH_SERVICE;
}

/**
 * Returns the token of an `authorization` header (RFC 6750, 2.1).
 *
 * @param count Number of such headers in the request. More than one is refused: a proxy in front of this server may
 * have checked another one.
 */
function bearerToken(authorization: string, count: number): string {
  const match = /^Bearer +([\w.~+/-]+=*)$/i.exec(authorization);
  if (!match?.[1] || count > 1) throw unauthenticated("authorization has to be Bearer and a token");
  return match[1];
}

function unauthenticated(message: string): ConnectError {
  return new ConnectError(message, Code.Unauthenticated);
}
