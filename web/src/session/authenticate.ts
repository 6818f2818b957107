import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import { findForeignAnswer } from "@rollcall/client";
import { watchStream } from "@rollcall/shared/watch-stream";
import { renewIfUsedUp } from "./renewal.ts";
import { EXPIRED, endSession, noteTaken, sessionState } from "./session.ts";

/** Sends the session's token, and ends the session when the server refuses it. */
export const authenticate: Interceptor = (next) => async (request) => {
  await renewIfUsedUp();
  const state = sessionState();
  const token = state.status === "in" ? state.session.token : undefined;
  if (token) request.header.set("authorization", `Bearer ${token}`);
  const noteRefusal = (error: unknown) => {
    const current = sessionState();
    const isCurrent = current.status === "in" && current.session.token === token;
    const { code, rawMessage } = ConnectError.from(error);
    // A refusal by a proxy says nothing about the token.
    if (isCurrent && code === Code.Unauthenticated && !findForeignAnswer(error)) endSession(rawMessage === EXPIRED);
    return error;
  };
  try {
    const response = await next(request);
    const taken = () => noteTaken(token);
    if (response.stream) {
      return { ...response, message: watchStream(response.message, { onMessage: taken, mapError: noteRefusal }) };
    }
    taken();
    return response;
  } catch (error) {
    throw noteRefusal(error);
  }
};
