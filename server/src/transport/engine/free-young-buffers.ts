import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/**
 * Bytes that are read between two collections. A collection takes about a third of a millisecond. It takes longer where
 * many young objects are in use, since it copies them, as V8 would do a little later. V8 counts freed buffers only one
 * collection later. With 8 MiB it therefore often reached the 32 MiB at which it collects the whole heap.
 */
const BYTES_BETWEEN = 4 * 1_024 ** 2;

type CollectGarbage = (options: { type: "minor" }) => void;

const collect = exposeCollector();
let readBytes = 0;

/**
 * Counts bytes of uploads and, now and then, frees the buffers that they were read into.
 *
 * Buffers are stored outside of the heap. They fill the young generation so slowly that it is not collected in time. V8
 * would then collect the whole heap every 20 MB because of their memory, which took more time than everything else.
 */
export function countReadBytes(bytes: number): void {
  readBytes += bytes;
  if (readBytes < BYTES_BETWEEN) return;
  readBytes = 0;
  collect?.({ type: "minor" });
}

/**
 * Returns V8's own function for a collection; undefined if V8 does not give it, so that uploads are as slow as without
 * this file. A context has the function only if it is created while V8's flag is set. Node.js warns about flags that
 * change while V8 runs. This one is read only when a context is created, and is unset immediately.
 */
function exposeCollector(): CollectGarbage | undefined {
  setFlagsFromString("--expose-gc");
  const found: unknown = runInNewContext("globalThis.gc");
  setFlagsFromString("--no-expose-gc");
  return typeof found === "function" ? (found as CollectGarbage) : undefined;
}
