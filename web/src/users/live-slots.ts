/**
 * Tabs that may have a stream at the same time. Over HTTP/1.1 a browser opens six connections to a server, for all tabs
 * together, and each stream occupies one. Two are left for everything else.
 */
const SLOTS = 4;

/**
 * Returns whether connections to the server are scarce. With HTTP/2 and 3 they are not, since each carries many
 * streams.
 */
function isShort(): boolean {
  const [navigation] = performance.getEntriesByType("navigation") as PerformanceNavigationTiming[];
  return !/^h[23]/.test(navigation?.nextHopProtocol ?? "");
}

/** Runs `work`, and passes it whether it may keep a stream open while it runs. */
export async function inSlot<T>(work: (mayStay: boolean) => Promise<T>): Promise<T> {
  // Pages over plain HTTP from another machine have no locks.
  if (!navigator.locks || !isShort()) return work(true);
  for (let slot = 0; slot < SLOTS; slot++) {
    const held = await navigator.locks.request(`live ${slot}`, { ifAvailable: true }, async (lock) =>
      lock ? { result: await work(true) } : undefined,
    );
    if (held) return held.result;
  }
  return work(false);
}
