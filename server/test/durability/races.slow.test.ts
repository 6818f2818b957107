import { startProcess } from "@rollcall/testing/start-process";
import { startServer } from "@rollcall/testing/start-server";
import { describe, expect, test } from "vitest";
import { connectUsers, type UsersClient } from "./support/connect-users.ts";
import { type DatabaseKind, databases } from "./support/databases.ts";
import { type Fault, withFault } from "./support/faulty-repository.ts";
import { countTogether, RACERS, type RaceOutcome, raceForEmail, raceOfEtags, raceOfReplays } from "./support/race.ts";
import { raceRounds } from "./support/race-rounds.ts";

test.each(databases)(
  "races 100 ways to two servers on one database of $name have one winner and one row each",
  async (kind) => {
    await using database = await kind.share();
    const { env } = database;
    await using first = await startProcess({ env });
    await using second = await startProcess({ env });
    await raceRounds([...connectUsers(first), ...connectUsers(second)], 1);
  },
);

type Run = (race: { clients: UsersClient[]; name: string }) => Promise<RaceOutcome>;

const controls: [Fault, Run, Partial<RaceOutcome>][] = [
  ["looking", raceForEmail, { outcomes: { done: 1, taken: RACERS - 1 } }],
  ["forgetful", raceOfReplays, { outcomes: { done: RACERS } }],
  ["careless", raceOfEtags, { outcomes: { done: 1, stale: RACERS - 1 } }],
];

describe.each(databases)("control: a server of $name", (kind) => {
  test.each(controls)("that is %s does not pass its race", async (fault, run, expected) => {
    await using server = await startFaulty(kind, fault);
    const outcome = await run({ clients: server.clients, name: "control" });
    expect(outcome).not.toMatchObject(expected);
  });

  test("that is careless loses updates", async () => {
    await using server = await startFaulty(kind, "careless");
    expect(Number(await countTogether({ clients: server.clients, name: "control" }, 8, 5))).toBeLessThan(40);
  });
});

async function startFaulty(kind: DatabaseKind, fault: Fault) {
  const database = await kind.share();
  const server = await startServer({ repository: withFault(await database.openRepository(), fault) });
  return {
    clients: connectUsers({ url: server.url, token: await server.token() }),
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await database[Symbol.asyncDispose]();
    },
  };
}
