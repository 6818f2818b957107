/** Ten thousand open, idle streams: the memory that each uses, and calls that are served meanwhile. */
import { expect, test } from "vitest";
import { measureIdleStreams } from "./support/idle-streams.ts";

const STREAMS = 10_000;

test("10,000 idle streams take some kilobytes each, and leave nothing", async () => {
  const idle = await measureIdleStreams(STREAMS);
  console.info(STREAMS, JSON.stringify(idle));
  expect(idle.failures).toBe(0);
  expect(idle.usedBytes).toBeLessThan(32 * 1_024);
  // The allocator keeps some memory when it first uses a block size.
  expect(idle.leftBytes).toBeLessThan(idle.usedBytes / 10);
});
