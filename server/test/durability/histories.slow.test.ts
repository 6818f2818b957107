import { startServer } from "@rollcall/testing/start-server";
import { startStandby } from "@rollcall/testing/start-standby";
import { expect, test } from "vitest";
import { connectUsers } from "./support/connect-users.ts";
import { databases, postgresql, sqlite } from "./support/databases.ts";
import { type Fault, withFault, withReader } from "./support/faulty-repository.ts";
import { hitPostgres, runFaultyHistory, runHistory } from "./support/history-run.ts";
import { seedOf } from "./support/report.ts";

test.each(databases)("a history of 16 clients of $name is linearizable, across kill -9 of a server", async (kind) => {
  const firstSeed = seedOf();
  let unknown = 0;
  // On a busy machine, all writes may already be answered when the server is killed. Then another seed is tried.
  for (let seed = firstSeed; unknown === 0 && seed < firstSeed + 10; seed++) {
    const judgement = await runFaultyHistory(kind, { servers: 1, faults: 1, seed });
    expect(judgement.contradictions, `seed ${seed}`).toEqual([]);
    expect(judgement.hits).toBe(1);
    expect(judgement.overlaps).toBeGreaterThan(judgement.calls / 4);
    unknown += judgement.unknown;
  }
  expect(unknown).toBeGreaterThan(0);
});

test.each(databases)("a history of two servers on one database of $name is linearizable", async (kind) => {
  const seed = seedOf();
  await using database = await kind.share();
  await using first = await startServer({ repository: await database.openRepository() });
  await using second = await startServer({ repository: await database.openRepository() });
  const clients = (await Promise.all([first, second].map(connectTo))).flat();
  const judgement = await runHistory(clients, 640, seed);
  expect(judgement.contradictions, `seed ${seed}`).toEqual([]);
});

test("a history of 16 clients is linearizable, across an outage of PostgreSQL", async () => {
  const seed = seedOf();
  const judgement = await runFaultyHistory(postgresql, { servers: 1, faults: 1, seed, hit: hitPostgres });
  expect(judgement.contradictions, `seed ${seed}`).toEqual([]);
  expect(judgement.hits).toBe(1);
  expect(judgement.overlaps).toBeGreaterThan(judgement.calls / 4);
});

// The long form has them on PostgreSQL too.
test.each<Fault>(["careless", "stale", "forgetful", "looking"])(
  "control: the history of a server that is %s is not linearizable",
  async (fault) => {
    await using database = await sqlite.share();
    await using server = await startServer({ repository: withFault(await database.openRepository(), fault) });
    expect((await runHistory(await connectTo(server), 640, 1)).linearizable).toBe(false);
  },
);

test("control: the history of a server that reads from a standby is not linearizable", async () => {
  await using database = await postgresql.start();
  const primary = await database.openRepository();
  await using standby = await startStandby(database.postgres, "reader");
  const reader = await database.openRepository(standby.port);
  // Otherwise a fast standby might never be behind when it is read.
  await standby.query("SELECT pg_wal_replay_pause()");
  await using server = await startServer({ repository: withReader(primary, reader) });
  const { linearizable } = await runHistory(await connectTo(server), 640, 1);
  await reader.close();
  expect(linearizable).toBe(false);
});

async function connectTo(server: { url: string; token(): Promise<string> }) {
  return connectUsers({ url: server.url, token: await server.token() });
}
