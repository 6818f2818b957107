import { runFeed } from "@rollcall/testing/feed-run";
import { sharedPostgres } from "@rollcall/testing/shared-postgres";
import { withParts } from "@rollcall/testing/with-parts";
import { expect, test } from "vitest";
import { openPostgresUserRepository } from "../../src/repository/postgres/user-repository.ts";
import { openSqliteUserRepository } from "../../src/repository/sqlite/user-repository.ts";
import type { UserRepository } from "../../src/repository/user-repository.ts";
import { addressOf } from "../support/address-of.ts";

const seed = Number(process.env.FUZZ_SEED ?? 1);
const options = { seed, changes: 250, writers: 32, cutAfter: 40, kept: 60 };
const postgres = await sharedPostgres();

const openSqlite = async () => openSqliteUserRepository({ path: ":memory:" });
async function createPostgres() {
  const address = addressOf(await postgres.createSchema());
  return () => openPostgresUserRepository({ address, timeoutMs: 60_000 });
}

test.each([
  ["SQLite", 1 as const, async () => openSqlite],
  ["two replicas of PostgreSQL", 2 as const, createPostgres],
])(
  `watchers of %s who are cut off and go on, or begin anew, miss nothing (FUZZ_SEED=${seed})`,
  async (_, replicas, make) => {
    const { faults, resumes, resets, complete } = await runFeed({ ...options, replicas, open: await make() });
    expect(faults).toEqual([]);
    // The faults of the run have hit.
    expect(resumes).toBeGreaterThan(50);
    expect(resets).toBeGreaterThan(0);
    expect(complete).toBeGreaterThan(0);
  },
);

/** Says of no change that it is gone, as a log that knows only the changes that it still has. */
function forgetful(real: UserRepository): UserRepository {
  const { changes } = real;
  const unknown = { keptBehind: "" };
  return withParts(real, {
    changes: withParts(changes, {
      head: async () => ({ ...(await changes.head()), ...unknown }),
      read: async (reading) => ({ ...(await changes.read(reading)), ...unknown }),
    }),
  });
}

test("control: a log that does not say what it has trimmed leaves gaps", async () => {
  const { faults } = await runFeed({ ...options, replicas: 1, open: async () => forgetful(await openSqlite()) });
  expect(faults.length).toBeGreaterThan(0);
});
