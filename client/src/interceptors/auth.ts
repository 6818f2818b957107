import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import { abortable } from "@rollcall/shared/abortable";
import { findForeignAnswer } from "../internal/foreign-answer.ts";
import { type GetToken, TokenSource } from "../internal/token-source.ts";
import { observeCall } from "./observe-call.ts";

export interface AuthOptions {
  /** A fixed token, or a function that returns one. */
  token: string | GetToken;
  /** How long before its expiry a token is renewed, in milliseconds. Default 30 s. */
  renewBeforeMs?: number | undefined;
  /** Returns milliseconds since the Unix epoch. */
  now?: (() => number) | undefined;
}

/**
 * Sends `authorization: Bearer …` in calls that have no such header of their own, and renews the token before it
 * expires.
 *
 * - A unary call that is refused as unauthenticated is repeated once, if there is a new token.
 * - A refused stream fails. The next call asks for a new token.
 * - A call that is aborted, or whose deadline ends, stops waiting for a token.
 * - A token with invalid characters (RFC 6750, 2.1) is not sent: the call fails as unauthenticated.
 */
export function createAuthInterceptor({ token, renewBeforeMs, now }: AuthOptions): Interceptor {
  return authenticate(new TokenSource(token, renewBeforeMs, now));
}

/** Does the same as {@link createAuthInterceptor}, with a token source that is shared. */
export function authenticate(source: TokenSource): Interceptor {
  /** Headers that have their token from here. An interceptor outside may send the same request again. */
  const authorized = new WeakSet<Headers>();
  return (next) => async (request) => {
    if (request.header.has("authorization") && !authorized.has(request.header)) return next(request);
    authorized.add(request.header);
    const send = async (refused?: string) => {
      const current = await abortable(source.get(refused), request.signal);
      if (current !== undefined && current === refused) return undefined;
      if (current === undefined) request.header.delete("authorization");
      else request.header.set("authorization", `Bearer ${current}`);
      return current;
    };
    const sent = await send();
    if (sent === undefined) return next(request);
    if (request.stream) {
      return observeCall(next, request, (error) => {
        if (error?.code === Code.Unauthenticated && !findForeignAnswer(error)) source.forget(sent);
      });
    }
    try {
      return await next(request);
    } catch (error) {
      const isRefused = ConnectError.from(error).code === Code.Unauthenticated && !findForeignAnswer(error);
      if (!isRefused || (await send(sent)) === undefined) throw error;
      return next(request);
    }
  };
}
