import { sharedPostgres } from "@rollcall/testing/shared-postgres";
import { startServer } from "@rollcall/testing/start-server";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openPostgresUserRepository } from "../../src/repository/postgres/user-repository.ts";
import { createLogger } from "../../src/telemetry/logger.ts";
import { addressOf } from "../support/address-of.ts";
import { connect } from "../support/connect.ts";
import { Watch } from "../users/support/watch.ts";
import { readMetrics } from "./support/read-metrics.ts";

const postgres = await sharedPostgres();

// PostgreSQL's own maintenance of tables uses transactions too.
beforeAll(() => setAutovacuum("SET autovacuum = off"));
afterAll(() => setAutovacuum("RESET autovacuum"));

async function setAutovacuum(change: string): Promise<void> {
  await postgres.query(`ALTER SYSTEM ${change}`);
  await postgres.query("SELECT pg_reload_conf()");
}

/** Starts a server that checks its lag every 10 ms, and another program on its database. */
async function start() {
  const url = await postgres.createSchema();
  const log: Record<string, unknown>[] = [];
  const server = await startServer({
    repository: await openPostgresUserRepository({ address: addressOf(url), timeoutMs: 60_000 }),
    changes: { lagIntervalMs: 10 },
    logger: createLogger("info", { write: (line) => log.push(JSON.parse(line)) }),
  });
  const other = new pg.Client({ connectionString: url, application_name: "nightly report" });
  await other.connect();
  const { users } = await connect(server);
  return {
    users,
    other,
    url,
    lagS: async () => (await readMetrics(server.url)).value("rollcall_feed_lag_seconds") ?? Number.NaN,
    stalls: () => log.filter(({ msg }) => String(msg).startsWith("changes are")),
    async [Symbol.asyncDispose]() {
      await other.end();
      await server[Symbol.asyncDispose]();
    },
  };
}

test.each([
  ["while somebody watches", true],
  ["while nobody does", false],
])(
  "a transaction left open that has written is named in the log, once, %s, and the lag grows",
  async (_, isWatched) => {
    await using it = await start();
    const { users, other, lagS, stalls } = it;
    await using watch = new Watch(users);
    if (isWatched) await watch.next();
    // The control: a transaction that has written nothing holds nothing up.
    await other.query("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT * FROM users");
    await users.createUser({ name: "Ada", email: "ada@example.com" });
    if (isWatched) expect(await watch.take(1)).toEqual(["created Ada"]);
    await other.query("COMMIT");
    expect(stalls()).toEqual([]);

    await other.query("BEGIN; SELECT pg_current_xact_id()");
    const { rows } = await other.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
    const startedAtMs = performance.now();
    await users.createUser({ name: "Bob", email: "bob@example.com" });
    await expect.poll(() => stalls().length).toBe(1);
    await expect.poll(lagS).toBeGreaterThan(1);
    expect(await lagS()).toBeLessThanOrEqual((performance.now() - startedAtMs) / 1_000 + 1);
    // There is still only one line after many checks.
    expect(stalls()).toMatchObject([
      { level: "warn", msg: "changes are held up by an open transaction", name: "nightly report", ...rows[0] },
    ]);
    await other.query("COMMIT");
    if (isWatched) expect(await watch.take(1)).toEqual(["created Bob"]);
    await expect
      .poll(() =>
        stalls()
          .map(({ msg }) => msg)
          .at(-1),
      )
      .toBe("changes are no longer held up");
    await expect.poll(lagS).toBe(0);
    expect(stalls()).toHaveLength(2);
  },
);

test("a prepared transaction is named too", async () => {
  await using it = await start();
  const { users, other, stalls, url } = it;
  const name = `left-behind-${new URL(url).username}`;
  await other.query("BEGIN; CREATE TABLE scratch ()");
  await other.query(`PREPARE TRANSACTION '${name}'`);
  try {
    await users.createUser({ name: "Ada", email: "ada@example.com" });
    await expect.poll(() => stalls().length).toBe(1);
    expect(stalls()).toMatchObject([{ name }]);
    expect(stalls()[0]).not.toHaveProperty("pid", expect.anything());
  } finally {
    await other.query(`ROLLBACK PREPARED '${name}'`);
  }
  await expect.poll(() => stalls().length).toBe(2);
});
