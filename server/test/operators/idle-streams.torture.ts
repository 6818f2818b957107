/** Ten thousand streams that are open and idle: what each takes, and that others are served beside them. */
import { expect, test } from "vitest";
import { measureIdleStreams } from "./support/idle-streams.ts";

const STREAMS = 10_000;

test("10,000 idle streams take some kilobytes each, and leave nothing", async () => {
  const idle = await measureIdleStreams(STREAMS);
  console.info(STREAMS, JSON.stringify(idle));
  expect(idle.failures).toBe(0);
  expect(idle.usedBytes).toBeLessThan(32 * 1_024);
  // The first use of a size of memory keeps some.
  expect(idle.leftBytes).toBeLessThan(idle.usedBytes / 10);
});
