import { expect, test } from "vitest";
import { IN_FLIGHT, killCells, killDuringCreates } from "./support/kill-during-creates.ts";

const CREATES = 600;

test.each(killCells)(
  "kill -9 in the middle of 600 creates by $protocol over $connection loses no acknowledged user, and a retry makes no second one",
  async (cell) => {
    const outcome = await killDuringCreates(cell, CREATES);
    expect(outcome).toMatchObject({ lost: [], doubled: [] });
    expect(outcome.acknowledged).toBeGreaterThanOrEqual(CREATES / 2);
    expect(outcome.acknowledged).toBeLessThan(CREATES);
    // A user that was written and not acknowledged was in flight; its retry finds it.
    expect(outcome.unheard).toBeLessThanOrEqual(IN_FLIGHT);
    // The lines of the last turn of the event loop may be lost, and no others: it ends no more calls than are under way.
    expect(outcome.unlogged).toBeLessThanOrEqual(IN_FLIGHT);
  },
);
