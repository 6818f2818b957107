import { createRandom } from "@rollcall/testing/random";
import { type ProcessOptions, startProcess } from "@rollcall/testing/start-process";
import { expect, test } from "vitest";
import { audit } from "./support/audit.ts";
import { connectUsers, type UsersClient } from "./support/connect-users.ts";
import { postgresql, sqlite } from "./support/databases.ts";
import { diskRounds } from "./support/disk-rounds.ts";
import { seedOf } from "./support/report.ts";
import { Writer } from "./support/writer.ts";

/** Shell command that lets no file of the server grow beyond 2 MiB. Later writes fail, as on a full disk. */
const FULL_AT_2_MIB = "ulimit -f 4096";
const FAULTY = "server/test/durability/support/faulty-server-main.ts";
const EARLY = { FAULT: "early" };

/**
 * Fills the disk under 64 writers until each has been refused. Compares the answers that they got with the data that a
 * new process finds.
 */
async function fillDisk(options: ProcessOptions = {}) {
  await using database = await sqlite.start();
  const random = createRandom(1);
  const writers = Array.from({ length: 64 }, (_, number) => new Writer(`w${number}`));
  let acknowledged = 0;
  {
    const env = { ...database.env, ...options.env };
    await using server = await startProcess({ ...options, env, limits: FULL_AT_2_MIB });
    const clients = connectUsers(server);
    const work = async (writer: Writer, number: number) => {
      while (await writer.write(clients[number % clients.length] as UsersClient, random)) acknowledged += 1;
    };
    await Promise.all(writers.map(work));
  }
  await using server = await startProcess({ env: database.env });
  return { acknowledged, ...(await audit(connectUsers(server)[0] as UsersClient, writers)) };
}

// `lifecycle/readiness.slow.test.ts` tests what callers and probes see meanwhile.
test("nothing that was acknowledged before, or while, the disk is full is lost", async () => {
  const outcome = await fillDisk();
  expect(outcome).toMatchObject({ lost: [], doubled: [] });
  expect(outcome.acknowledged).toBeGreaterThan(0);
});

test("control: a server that acknowledges early loses some", async () => {
  expect((await fillDisk({ program: FAULTY, env: EARLY })).lost).not.toEqual([]);
});

const NO_COMPILER = "needs Linux and a C compiler, to make a disk fail";

test.for([
  { name: sqlite.name, kind: sqlite, place: "all" },
  { name: postgresql.name, kind: postgresql, place: "log" },
])("nobody is told otherwise when $name can't flush to its disk", async ({ kind, place }, { skip }) => {
  const seed = seedOf();
  const outcome = await diskRounds(kind, { rounds: 1, seed, fault: "sync", place });
  if (!outcome) return skip(NO_COMPILER);
  const { killed } = outcome;
  expect(outcome, `seed ${seed}`).toMatchObject({ hits: 1, notReady: 1, recovered: 1 - killed });
  expect(outcome, `seed ${seed}`).toMatchObject({ lost: [], doubled: [], faults: [] });
});

// The long form has this control for PostgreSQL.
test("control: a server that acknowledges early loses some when its disk fails", async ({ skip }) => {
  const fault = { fault: "full", place: "all" } as const;
  const outcome = await diskRounds(sqlite, { rounds: 1, seed: 1, ...fault, program: FAULTY, env: EARLY });
  if (!outcome) return skip(NO_COMPILER);
  expect(outcome.lost).not.toEqual([]);
});
