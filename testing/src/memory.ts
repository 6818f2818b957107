import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

/**
 * Returns the memory that this process holds, in bytes. Garbage is collected first: otherwise the figure would depend
 * on when the collector last ran.
 */
export function heldBytes(): number {
  // Collect twice: the first collection frees some objects, such as array buffers, in the background, and the second
  // waits for that.
  collectGarbage();
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
