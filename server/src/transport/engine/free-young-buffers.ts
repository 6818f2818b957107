import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/**
 * Bytes that are read between two collections. Each takes about a third of a millisecond, and longer where many young
 * objects are in use: it copies them, as V8 would do a little later. V8 counts freed buffers one collection later, so
 * with 8 MiB it often reached the 32 MiB at which it collects the whole heap.
 */
const BYTES_BETWEEN = 4 * 1_024 ** 2;

type CollectGarbage = (options: { type: "minor" }) => void;

const collect = exposeCollector();
let readBytes = 0;

/**
 * Counts bytes of uploads, and frees the buffers they were read into now and then.
 *
 * Buffers lie outside of the heap. The young generation fills too slowly to be collected in time, so that V8 would
 * collect the whole heap every 20 MB for the sake of their memory, which took more time than everything else.
 */
export function countReadBytes(bytes: number): void {
  readBytes += bytes;
  if (readBytes < BYTES_BETWEEN) return;
  readBytes = 0;
  collect?.({ type: "minor" });
}

/**
 * Returns V8's own function, which contexts have only if they are made while its flag is set; undefined if V8 gives none,
 * so that uploads are as slow as without this file. Node warns of flags that change while V8 runs. This one is read
 * only when a context is made, and is unset at once.
 */
function exposeCollector(): CollectGarbage | undefined {
  setFlagsFromString("--expose-gc");
  const found: unknown = runInNewContext("globalThis.gc");
  setFlagsFromString("--no-expose-gc");
  return typeof found === "function" ? (found as CollectGarbage) : undefined;
}
