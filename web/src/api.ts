import { Code, ConnectError } from "@connectrpc/connect";
import { createFetchTransport } from "@rollcall/client";
import { QueryClient } from "@tanstack/react-query";
import { authenticate } from "./authenticate.ts";
import { onSessionChange } from "./session.ts";

/** Unary calls to where this page came from. The server answers within its own default deadline, which is the same. */
export const transport = createFetchTransport({
  baseUrl: location.origin,
  interceptors: [authenticate],
  defaultTimeoutMs: 30_000,
});

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
