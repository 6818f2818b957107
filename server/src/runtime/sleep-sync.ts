/** Holds the thread, event loop and all. Only for a start, while nothing else is there to be held up. */
export function sleepSync(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
