import { join } from "node:path";
import { createRandom } from "@rollcall/testing/random";
import { type ProcessOptions, startProcess } from "@rollcall/testing/start-process";
import { expect, test } from "vitest";
import { audit } from "./support/audit.ts";
import { connectUsers, type UsersClient } from "./support/connect-users.ts";
import { databases } from "./support/databases.ts";
import { Writer } from "./support/writer.ts";

/** No file of the server may grow beyond 2 MiB: what it writes then fails, as on a disk that is full. */
const FULL_AT_2_MIB = "ulimit -f 4096";

/** Fills the disk under 64 writers and compares what they were told with what a new process finds. */
async function fillDisk(options: ProcessOptions = {}) {
  const [kind] = databases;
  if (!kind) throw new Error("no database");
  await using database = await kind.start();
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
  const refused = writers.filter(({ pending }) => pending).length;
  await using server = await startProcess({ env: database.env });
  return { acknowledged, refused, ...(await audit(connectUsers(server)[0] as UsersClient, writers)) };
}

// `lifecycle/readiness.slow.test.ts` has what callers and probes see meanwhile.
test("nothing that was acknowledged before, or while, the disk is full is lost", async () => {
  const outcome = await fillDisk();
  expect(outcome).toMatchObject({ lost: [], doubled: [] });
  expect(outcome.acknowledged).toBeGreaterThan(0);
  expect(outcome.refused).toBeGreaterThan(0);
});

test("control: a server that acknowledges early loses some", async () => {
  const program = join(import.meta.dirname, "support/faulty-server-main.ts");
  expect((await fillDisk({ program, env: { FAULT: "early" } })).lost).not.toEqual([]);
});
