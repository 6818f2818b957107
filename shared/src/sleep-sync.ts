/** Blocks the thread and its event loop. Only for the start of the process, when nothing else runs yet. */
export function sleepSync(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
