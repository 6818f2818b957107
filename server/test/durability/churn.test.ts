import { startServer } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";
import type { UserRepository } from "../../src/repository/user-repository.ts";
import { readUnderChurn } from "./support/churn.ts";
import { connectUsers } from "./support/connect-users.ts";
import { type DatabaseKind, databases } from "./support/databases.ts";
import { orders } from "./support/orders.ts";
import { pageByOffset } from "./support/page-by-offset.ts";
import { seedOf } from "./support/report.ts";

const cells = databases.flatMap((kind) => orders.map((each) => ({ name: kind.name, kind, ...each })));

async function readOnNewServer(
  kind: DatabaseKind,
  { readPage, isMovedByChange }: (typeof orders)[0],
  seed: number,
  wrap = (real: UserRepository) => real,
) {
  await using database = await kind.start();
  await using server = await startServer({ repository: wrap(await database.openRepository()) });
  const [client] = connectUsers({ url: server.url, token: await server.token() });
  if (!client) throw new Error("no client");
  return await readUnderChurn(client, seed, readPage, isMovedByChange);
}

test.each(cells)(
  "pages of $name in the order $order have each surviving user once while others come and go",
  async (cell) => {
    const firstSeed = seedOf();
    for (let seed = firstSeed; seed < firstSeed + 5; seed++) {
      const { wrong, changes, pages } = await readOnNewServer(cell.kind, cell, seed);
      expect(wrong, `seed ${seed}`).toEqual([]);
      expect(changes).toBeGreaterThanOrEqual(pages);
    }
  },
);

test("control: pages that count rows leave some out", async () => {
  const [kind] = databases;
  const [order] = orders;
  if (!kind || !order) throw new Error("no database");
  const outcomes = [];
  for (let seed = 1; seed <= 5; seed++) outcomes.push(await readOnNewServer(kind, order, seed, pageByOffset));
  expect(outcomes.flatMap(({ wrong }) => wrong)).not.toEqual([]);
});
