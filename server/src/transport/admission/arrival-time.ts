/** Arrival times of requests' headers; monotonic, in milliseconds. */
const arrivedAtMs = new WeakMap<object, number>();

/**
 * Notes that a request's headers have just arrived. All clocks of its call run from here, even while it waits to be
 * admitted.
 */
export function noteArrival(request: object): void {
  arrivedAtMs.set(request, performance.now());
}

/** Returns the time when a request's headers arrived; now if that was not noted. */
export function arrivalOf(request: object): number {
  return arrivedAtMs.get(request) ?? performance.now();
}
