import { Code, ConnectError } from "@connectrpc/connect";
import { QueryClient } from "@tanstack/react-query";
import { onSessionChange, sessionState } from "../session/session.ts";

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

const initial = sessionState();
let subject = initial.status === "in" ? initial.session.subject : undefined;
onSessionChange(() => {
  const state = sessionState();
  // Who only needs a new token goes on with what was not saved. What one person was shown is not for the next.
  if (state.status === "expired" || state.status === "refused") return;
  const next = state.status === "in" ? state.session.subject : undefined;
  if (next === undefined || next !== subject) queryClient.clear();
  subject = next;
});
