import { describe, expect, test } from "vitest";
import { readOnNewServer } from "./support/churn.ts";
import { databases } from "./support/databases.ts";
import { orders } from "./support/orders.ts";
import { pageByOffset } from "./support/page-by-offset.ts";
import { seedOf } from "./support/report.ts";

describe.each(databases)("pages of $name", (kind) => {
  test.each(orders)("in the order $order have each surviving user once while others come and go", async (order) => {
    const firstSeed = seedOf();
    let survived = 0;
    for (let seed = firstSeed; seed < firstSeed + 2 || survived === 0; seed++) {
      const { wrong, changes, pages, survivors } = await readOnNewServer(kind, order, seed);
      expect(wrong, `seed ${seed}`).toEqual([]);
      expect(changes).toBeGreaterThanOrEqual(pages);
      survived += survivors;
    }
  });

  test("control: counting rows leaves some out", async () => {
    const [order] = orders;
    if (!order) throw new Error("no order");
    const wrong: string[] = [];
    for (let seed = 1; seed <= 10 && wrong.length === 0; seed++) {
      wrong.push(...(await readOnNewServer(kind, order, seed, pageByOffset)).wrong);
    }
    expect(wrong).not.toEqual([]);
  });
});
