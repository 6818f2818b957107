import { expect, test } from "vitest";
import { readOnNewServer } from "./support/churn.ts";
import { databases } from "./support/databases.ts";
import { orders } from "./support/orders.ts";
import { report, roundsOf, seedOf } from "./support/report.ts";

test.each(databases)("pages of $name under churn, in every order", async (kind) => {
  const rounds = roundsOf(100);
  const firstSeed = seedOf();
  const rows = [];
  for (const order of orders) {
    const total = { order: order.order, rounds, pages: 0, changes: 0, survivors: 0, wrong: 0 };
    for (let seed = firstSeed; seed < firstSeed + rounds; seed++) {
      const { wrong, pages, changes, survivors } = await readOnNewServer(kind, order, seed);
      expect(wrong, `${order.order}, seed ${seed}`).toEqual([]);
      total.pages += pages;
      total.changes += changes;
      total.survivors += survivors;
    }
    expect(total.changes).toBeGreaterThan(total.pages);
    expect(total.survivors).toBeGreaterThan(0);
    rows.push(total);
  }
  report(`Pages under churn, ${kind.name}, seeds from ${firstSeed}`, rows);
});
