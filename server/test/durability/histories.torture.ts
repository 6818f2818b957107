import { startServer } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";
import { connectUsers } from "./support/connect-users.ts";
import { databases, postgresql } from "./support/databases.ts";
import { type Fault, withFault } from "./support/faulty-repository.ts";
import { CLIENTS, type FaultyHistory, hitPostgres, runFaultyHistory, runHistory } from "./support/history-run.ts";
import { report, roundsOf, seedOf } from "./support/report.ts";

const FAULTS = 5;

async function runRounds(title: string, run: (seed: number) => Promise<FaultyHistory>): Promise<void> {
  const rounds = roundsOf(20);
  const firstSeed = seedOf();
  const total = { rounds, faults: rounds * FAULTS, hits: 0, calls: 0, unknown: 0, states: 0, contradictions: 0 };
  for (let seed = firstSeed; seed < firstSeed + rounds; seed++) {
    const judgement = await run(seed);
    expect(judgement.contradictions, `seed ${seed}`).toEqual([]);
    expect(judgement.hits).toBe(FAULTS);
    for (const column of ["hits", "calls", "unknown", "states"] as const) total[column] += judgement[column];
  }
  report(`Histories of ${CLIENTS} clients, ${title}, seeds from ${firstSeed}`, [total]);
  expect(total.unknown).toBeGreaterThan(0);
}

const counts = [1, 2];

test.each(databases.flatMap((kind) => counts.map((servers) => ({ name: kind.name, kind, servers }))))(
  "histories of clients of $servers servers on $name, with kills",
  async ({ name, kind, servers }) => {
    await runRounds(`${name}, ${servers} servers, one killed`, (seed) =>
      runFaultyHistory(kind, { servers, faults: FAULTS, seed }),
    );
  },
);

test.each(counts)("histories of clients of %s servers, with PostgreSQL taken away", async (servers) => {
  await runRounds(`${servers} servers, PostgreSQL taken away`, (seed) =>
    runFaultyHistory(postgresql, { servers, faults: FAULTS, seed, hit: hitPostgres }),
  );
});

const faults: Fault[] = ["careless", "stale", "forgetful", "looking"];

test.each(databases.flatMap((kind) => faults.map((fault) => ({ name: kind.name, kind, fault }))))(
  "control: the history of a server of $name that is $fault is not linearizable",
  async ({ kind, fault }) => {
    await using database = await kind.share();
    await using server = await startServer({ repository: withFault(await database.openRepository(), fault) });
    const clients = connectUsers({ url: server.url, token: await server.token() });
    expect((await runHistory(clients, 640, 1)).linearizable).toBe(false);
  },
);
