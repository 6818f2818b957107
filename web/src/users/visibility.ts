/**
 * Time for which a hidden tab keeps its stream, in milliseconds. A browser opens six connections to a server over
 * HTTP/1.1, for all tabs together, and each stream occupies one: a seventh tab would not even load.
 */
export const HIDDEN_MS = 5_000;

/** Resolves when somebody can see the tab, or the signal is aborted. */
export function untilVisible(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const look = () => {
      if (document.visibilityState === "hidden" && !signal.aborted) return;
      document.removeEventListener("visibilitychange", look);
      signal.removeEventListener("abort", look);
      resolve();
    };
    document.addEventListener("visibilitychange", look);
    signal.addEventListener("abort", look);
    look();
  });
}

/** Returns a signal that is aborted when the tab has been hidden for this long, or with the other signal. */
export function hiddenSignal(afterMs: number, signal: AbortSignal): AbortSignal {
  const hidden = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const end = () => {
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", look);
    signal.removeEventListener("abort", end);
    hidden.abort();
  };
  const look = () => {
    clearTimeout(timer);
    if (document.visibilityState === "hidden") timer = setTimeout(end, afterMs);
  };
  document.addEventListener("visibilitychange", look);
  signal.addEventListener("abort", end);
  look();
  return hidden.signal;
}
