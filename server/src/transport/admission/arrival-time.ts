/** When the headers of requests arrived; monotonic, in milliseconds. */
const arrivedAtMs = new WeakMap<object, number>();

/** Notes that a request's headers have just arrived: every clock of its call runs from here, also while it waits to be let in. */
export function noteArrival(request: object): void {
  arrivedAtMs.set(request, performance.now());
}

/** Returns when a request's headers arrived, or now for one that nobody has noted. */
export function arrivalOf(request: object): number {
  return arrivedAtMs.get(request) ?? performance.now();
}
