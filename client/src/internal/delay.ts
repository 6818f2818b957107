import { MAX_TIMER_MS } from "@rollcall/shared/max-timer-ms";

/** Resolves after `ms` milliseconds, 25 days at most. Rejects with a signal's reason as soon as one is aborted. */
export function delay(ms: number, ...signals: (AbortSignal | undefined)[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      for (const signal of signals) signal?.removeEventListener("abort", abort);
    };
    const abort = () => {
      stop();
      reject(signals.find((signal) => signal?.aborted)?.reason);
    };
    const timer = setTimeout(
      () => {
        stop();
        resolve();
      },
      Math.min(ms, MAX_TIMER_MS),
    );
    for (const signal of signals) signal?.addEventListener("abort", abort);
    if (signals.some((signal) => signal?.aborted)) abort();
  });
}
