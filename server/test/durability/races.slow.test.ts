import { startProcess } from "@rollcall/testing/start-process";
import { startServer } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";
import { connectUsers, type UsersClient } from "./support/connect-users.ts";
import { databases } from "./support/databases.ts";
import { type Fault, withFault } from "./support/faulty-repository.ts";
import { countTogether, RACERS, type RaceOutcome, raceForEmail, raceOfEtags, raceOfReplays } from "./support/race.ts";
import { raceRounds } from "./support/race-rounds.ts";

test.each(databases)(
  "races 100 ways to two servers on one database of $name have one winner and one row each",
  async ({ start }) => {
    await using database = await start();
    const { env } = database;
    await using first = await startProcess({ env });
    await using second = await startProcess({ env });
    await raceRounds([...connectUsers(first), ...connectUsers(second)], 3);
  },
);

type Run = (race: { clients: UsersClient[]; name: string }) => Promise<RaceOutcome>;

test.each<[Fault, Run, Partial<RaceOutcome>]>([
  ["looking", raceForEmail, { outcomes: { done: 1, taken: RACERS - 1 } }],
  ["forgetful", raceOfReplays, { outcomes: { done: RACERS } }],
  ["careless", raceOfEtags, { outcomes: { done: 1, stale: RACERS - 1 } }],
])("control: a server that is %s does not pass its race", async (fault, run, expected) => {
  await using server = await startFaulty(fault);
  const outcome = await run({ clients: server.clients, name: "control" });
  expect(outcome).not.toMatchObject(expected);
});

test("control: a server that is careless loses updates", async () => {
  await using server = await startFaulty("careless");
  expect(Number(await countTogether({ clients: server.clients, name: "control" }, 8, 5))).toBeLessThan(40);
});

async function startFaulty(fault: Fault) {
  const [kind] = databases;
  if (!kind) throw new Error("no database");
  const database = await kind.start();
  const server = await startServer({ repository: withFault(await database.openRepository(), fault) });
  return {
    clients: connectUsers({ url: server.url, token: await server.token() }),
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await database[Symbol.asyncDispose]();
    },
  };
}
