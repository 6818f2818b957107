import { Code, ConnectError, createClient, type Interceptor } from "@connectrpc/connect";
import { createBrowserTransport } from "@rollcall/client";
import { StreamService } from "@rollcall/gen/stream/v1/stream";
import { QueryClient } from "@tanstack/react-query";
import { recordCalls } from "./call-record.ts";
import { endSession, onSessionChange, sessionState } from "./session.ts";

/** Sends the session's token, and ends the session when the server refuses it. */
const authenticate: Interceptor = (next) => async (request) => {
  const state = sessionState();
  const token = state.status === "in" ? state.session.token : undefined;
  if (token) request.header.set("authorization", `Bearer ${token}`);
  const noteRefusal = (error: unknown) => {
    const current = sessionState();
    const isCurrent = current.status === "in" && current.session.token === token;
    if (isCurrent && ConnectError.from(error).code === Code.Unauthenticated) endSession();
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

/** Calls of all kinds, to where this page came from. */
export const transport = createBrowserTransport({
  baseUrl: location.origin,
  interceptors: [authenticate, recordCalls],
});

export const streams = createClient(StreamService, transport);

const MAX_RETRIES = 2;

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      // Only what can go better the next time.
      retry: (failures, error) => failures < MAX_RETRIES && ConnectError.from(error).code === Code.Unavailable,
      retryDelay: (failures) => 300 * 2 ** failures,
      // A server on this very machine can be reached without any network.
      networkMode: "always",
    },
    mutations: { networkMode: "always" },
  },
});

// What one person was shown is not for the next.
onSessionChange(() => queryClient.clear());
