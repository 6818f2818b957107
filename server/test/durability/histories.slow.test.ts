import { startServer } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";
import { connectUsers } from "./support/connect-users.ts";
import { databases } from "./support/databases.ts";
import { type Fault, withFault } from "./support/faulty-repository.ts";
import { runFaultyHistory, runHistory } from "./support/history-run.ts";
import { seedOf } from "./support/report.ts";

test.each(databases)("a history of 16 clients of $name is linearizable, across kill -9 of a server", async (kind) => {
  const seed = seedOf();
  const faults = 3;
  const judgement = await runFaultyHistory(kind, { servers: 1, faults, seed });
  expect(judgement.contradictions, `seed ${seed}`).toEqual([]);
  expect(judgement.hits).toBe(faults);
  expect(judgement.unknown).toBeGreaterThan(0);
  expect(judgement.overlaps).toBeGreaterThan(judgement.calls / 4);
});

test.each(databases)("a history of two servers on one database of $name is linearizable", async (kind) => {
  const seed = seedOf();
  await using database = await kind.start();
  await using first = await startServer({ repository: await database.openRepository() });
  await using second = await startServer({ repository: await database.openRepository() });
  const clients = (await Promise.all([first, second].map(connectTo))).flat();
  const judgement = await runHistory(clients, 640, seed);
  expect(judgement.contradictions, `seed ${seed}`).toEqual([]);
});

test.each<Fault>(["careless", "stale", "forgetful", "looking"])(
  "control: the history of a server that is %s is not linearizable",
  async (fault) => {
    const [kind] = databases;
    if (!kind) throw new Error("no database");
    await using database = await kind.start();
    await using server = await startServer({ repository: withFault(await database.openRepository(), fault) });
    expect((await runHistory(await connectTo(server), 640, 1)).linearizable).toBe(false);
  },
);

async function connectTo(server: { url: string; token(): Promise<string> }) {
  return connectUsers({ url: server.url, token: await server.token() });
}
