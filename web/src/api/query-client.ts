import { QueryClient } from "@tanstack/react-query";
import { onSessionChange, sessionState } from "../session/session.ts";

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      // The client itself repeats calls where that can help.
      retry: false,
      // A server on the same machine can be reached without a network.
      networkMode: "always",
    },
    mutations: { networkMode: "always" },
  },
});

const initial = sessionState();
let subject = initial.status === "in" ? initial.session.subject : undefined;
onSessionChange(() => {
  const state = sessionState();
  // Keep unsaved work when the same person signs in again. Drop cached data when another person does.
  if (state.status === "expired" || state.status === "refused") return;
  const next = state.status === "in" ? state.session.subject : undefined;
  if (next === undefined || next !== subject) queryClient.clear();
  subject = next;
});
