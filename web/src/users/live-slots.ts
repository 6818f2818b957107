/**
 * Tabs that may have a stream at once. Over HTTP/1.1 a browser opens six connections to a server, all tabs together, and each
 * stream has one: two are left for everything else.
 */
const SLOTS = 4;

/** Whether the connections to the server are few: those of HTTP/2 and 3 carry many streams each. */
function isShort(): boolean {
  const [navigation] = performance.getEntriesByType("navigation") as PerformanceNavigationTiming[];
  return !/^h[23]/.test(navigation?.nextHopProtocol ?? "");
}

/** Runs `work`, and says whether it may keep a stream open for as long as it runs. */
export async function inSlot<T>(work: (mayStay: boolean) => Promise<T>): Promise<T> {
  // Pages have no locks where they come over plain HTTP from another machine.
  if (!navigator.locks || !isShort()) return work(true);
  for (let slot = 0; slot < SLOTS; slot++) {
    const held = await navigator.locks.request(`live ${slot}`, { ifAvailable: true }, async (lock) =>
      lock ? { result: await work(true) } : undefined,
    );
    if (held) return held.result;
  }
  return work(false);
}
