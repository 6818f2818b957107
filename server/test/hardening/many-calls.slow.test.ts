/** Tests that a call that is over leaves nothing in the server, whether it was answered, refused or cancelled. */

import { expect, test } from "vitest";
import { cancelCalls, growthOf, makeCalls, manyCallsCells, startPatientServer } from "./support/many-calls.ts";
import type { MeasuredServer } from "./support/measured-server.ts";

const ROUNDS = 3;
const CALLS = 200;
const CANCELLED = 64;
/** Limit on growth, in bytes: less than a third of the log lines of all calls. */
const FLAT_BYTES = 128 * 1_024;

/**
 * Runs rounds of calls, at most {@link ROUNDS}, until one leaves nothing. Memory that the process uses for the first
 * time grows one round; a leak grows all of them.
 */
async function leastGrowth(server: MeasuredServer, round: () => Promise<void>): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let index = 0; index < ROUNDS && least >= FLAT_BYTES; index++) {
    least = Math.min(least, (await growthOf(server, round)).usedBytes);
  }
  return least;
}

test("thousands of calls, answered, refused and cancelled, leave nothing in any protocol", async () => {
  await using server = await startPatientServer();
  const round = async () => {
    for (const cell of manyCallsCells) {
      await makeCalls(server, cell, CALLS);
      await cancelCalls(server, cell, CANCELLED);
    }
  };
  await round();
  const growth = await leastGrowth(server, round);
  expect(growth).toBeLessThan(FLAT_BYTES);
});

test("a server that keeps a line of each call is seen by how memory is measured", async () => {
  await using server = await startPatientServer({ leaksLog: true });
  const [cell] = manyCallsCells;
  if (!cell) throw new Error("there are no protocols");
  await makeCalls(server, cell, CALLS);
  // Each round of a leak grows by the same amount, so one round shows it.
  const { usedBytes } = await growthOf(server, () => makeCalls(server, cell, CALLS * manyCallsCells.length));
  expect(usedBytes).toBeGreaterThan(3 * FLAT_BYTES);
});
