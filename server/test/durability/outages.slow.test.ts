import { expect, test } from "vitest";
import { outageRounds } from "./support/outage-rounds.ts";
import { seedOf } from "./support/report.ts";

test("PostgreSQL taken away under load loses nothing acknowledged, and does nothing refused", async () => {
  const outcome = await outageRounds({ rounds: 4, seed: seedOf() });
  expect(outcome).toMatchObject({ hits: 4, lost: [], unasked: [], strange: [] });
  expect(outcome.acknowledged).toBeGreaterThan(0);
});
