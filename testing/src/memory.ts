import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

/**
 * How much memory this process holds, in bytes. Garbage does not count: it is collected
 * first, or the figure would say how lazy the collector is.
 */
export function heldBytes(): number {
  // Twice: what the first finds, array buffers among it, it frees in the background, and the second waits for that.
  collectGarbage();
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
