import { onSessionChange, sessionState } from "./session.ts";

const keyNow = () => {
  const state = sessionState();
  return state.status === "in" ? state.session.key : undefined;
};

let current: { readonly key: string | undefined; readonly signal: AbortSignal } | undefined;

/**
 * Returns a signal that is aborted when the present person is no longer signed in, so that nobody else continues their
 * work.
 */
export function signalOfSession(): AbortSignal {
  const key = keyNow();
  if (current && current.key === key && !current.signal.aborted) return current.signal;
  const controller = new AbortController();
  const stop = onSessionChange(() => {
    if (keyNow() === key) return;
    stop();
    controller.abort();
  });
  current = { key, signal: controller.signal };
  return controller.signal;
}
