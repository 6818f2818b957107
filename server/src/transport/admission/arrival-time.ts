/** Arrival times of requests' headers; monotonic, in milliseconds. */
const arrivedAtMs = new WeakMap<object, number>();

/**
 * Notes that a request's headers have just arrived. Every clock of its call runs from here, also while it waits to be
 * admitted.
 */
export function noteArrival(request: object): void {
  arrivedAtMs.set(request, performance.now());
}

/** Returns when a request's headers arrived, or now if that was not noted. */
export function arrivalOf(request: object): number {
  return arrivedAtMs.get(request) ?? performance.now();
}
