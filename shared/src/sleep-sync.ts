/** Blocks the thread and its event loop. Use it only while the process starts and nothing else runs yet. */
export function sleepSync(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
