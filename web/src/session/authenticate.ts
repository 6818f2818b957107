import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import { findForeignAnswer } from "@rollcall/client";
import { EXPIRED, endSession, sessionState } from "./session.ts";

/** Sends the session's token, and ends the session when the server refuses it. */
export const authenticate: Interceptor = (next) => async (request) => {
  const state = sessionState();
  const token = state.status === "in" ? state.session.token : undefined;
  if (token) request.header.set("authorization", `Bearer ${token}`);
  const noteRefusal = (error: unknown) => {
    const current = sessionState();
    const isCurrent = current.status === "in" && current.session.token === token;
    const { code, rawMessage } = ConnectError.from(error);
    // A proxy's refusal says nothing about the token.
    if (isCurrent && code === Code.Unauthenticated && !findForeignAnswer(error)) endSession(rawMessage === EXPIRED);
  };
  try {
    const response = await next(request);
    return response.stream ? { ...response, message: watch(response.message, noteRefusal) } : response;
  } catch (error) {
    noteRefusal(error);
    throw error;
  }
};

async function* watch<T>(messages: AsyncIterable<T>, onError: (error: unknown) => void): AsyncIterable<T> {
  try {
    yield* messages;
  } catch (error) {
    onError(error);
    throw error;
  }
}
