import { expect, test } from "vitest";
import { IN_FLIGHT, killCells, killDuringCreates } from "./support/kill-during-creates.ts";

const ROUNDS = 20;

test.each(killCells)("twenty times kill -9 among creates by $protocol over $connection", async (cell) => {
  let acknowledged = 0;
  let unheard = 0;
  let unlogged = 0;
  for (let round = 0; round < ROUNDS; round++) {
    // Another moment each time: some kills come while the process is new, others when it is warm.
    const outcome = await killDuringCreates(cell, 200 * (1 + (round % 10)));
    expect(outcome).toMatchObject({ lost: [], doubled: [] });
    expect(outcome.unheard).toBeLessThanOrEqual(IN_FLIGHT);
    expect(outcome.unlogged).toBeLessThanOrEqual(IN_FLIGHT);
    acknowledged += outcome.acknowledged;
    unheard += outcome.unheard;
    unlogged += outcome.unlogged;
  }
  console.info({ over: `${cell.protocol}, ${cell.connection}`, kills: ROUNDS, acknowledged, unheard, unlogged });
});
