/** Traces of calls at a PostgreSQL server: in its log, in `pg_stat_activity`, and as spans. */
import { Code, createClient } from "@connectrpc/connect";
import { UserService } from "@rollcall/gen/user/v1/user";
import { connections, createCellTransport, protocols } from "@rollcall/testing/matrix";
import { startOtlpReceiver } from "@rollcall/testing/otlp/receiver";
import { sharedPostgres } from "@rollcall/testing/shared-postgres";
import { startServer } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";
import { openPostgresUserRepository } from "../../src/repository/postgres/user-repository.ts";
import { addressOf } from "../support/address-of.ts";

const postgres = await sharedPostgres();
const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
const parentId = "00f067aa0ba902b7";
const sampled = { headers: { traceparent: `00-${traceId}-${parentId}-01` } };
const unsampled = { headers: { traceparent: `00-${traceId}-${parentId}-00` } };

/** Starts a server on its own schema, with all statements logged by PostgreSQL, and a client of its users. */
async function start() {
  const url = await postgres.createSchema();
  const { username } = new URL(url);
  await postgres.query(`ALTER ROLE ${username} SET log_statement = 'all'`);
  const receiver = await startOtlpReceiver();
  const repository = await openPostgresUserRepository({ address: addressOf(url), timeoutMs: 60_000 });
  const server = await startServer({
    repository,
    otlp: { endpoint: receiver.endpoint },
    // On a busy machine, the last export may take long.
    shutdownGraceMs: 60_000,
  });
  const users = createClient(UserService, await createCellTransport(server, { ...protocols.grpc, ...connections.h2c }));
  return {
    users,
    url,
    username,
    /** Stops the server. Returns the spans of its queries. */
    async queries() {
      await server.app.close();
      return receiver.spans.filter(({ kind }) => kind === 3);
    },
    async [Symbol.asyncDispose]() {
      await server.app.close();
      await receiver[Symbol.asyncDispose]();
    },
  };
}

/** Makes every call that queries the database. */
async function callAll({ users }: Awaited<ReturnType<typeof start>>, options: typeof sampled): Promise<void> {
  const { user } = await users.createUser({ email: "ada@example.com", name: "Ada" }, options);
  const { id = "" } = user ?? {};
  await users.getUser({ id }, options);
  await users.listUsers({}, options);
  await users.listUsers({ filter: "ada" }, options);
  await users.updateUser({ id, name: "Ada L." }, options);
  await users.getUserHistory({ id }, options);
  await users.deleteUser({ id }, options);
}

test("a recorded call's statements name the spans of its queries, those of its transaction included", async () => {
  await using server = await start();
  const before = postgres.log().length;
  await callAll(server, sampled);
  const spans = await server.queries();
  expect(spans.map(({ name }) => name)).toEqual(
    "INSERT users,SELECT users,SELECT users,SELECT users,UPDATE users,SELECT changes,DELETE users".split(","),
  );
  expect(spans[0]?.attributes).toEqual({
    "db.system.name": "postgresql",
    "db.operation.name": "INSERT",
    "db.collection.name": "users",
    "db.namespace": "postgres",
    "server.address": "127.0.0.1",
    "server.port": postgres.port,
  });
  const comment = (spanId = "") => `/*traceparent='00-${traceId}-${spanId}-01'*/`;
  const log = () => postgres.log().slice(before);
  await expect.poll(log).toContain(`statement: COMMIT ${comment(spans.at(-1)?.spanId)}`);
  const named = [...log().matchAll(/traceparent='([^']*)'/g)].map(([, trace]) => trace);
  expect(new Set(named)).toEqual(new Set(spans.map(({ spanId }) => `00-${traceId}-${spanId}-01`)));
  for (const words of ["BEGIN ISOLATION LEVEL READ COMMITTED", "COMMIT"]) {
    expect(log()).toContain(`statement: ${words} ${comment(spans[0]?.spanId)}`);
  }
  // With a name, PostgreSQL would keep each text, with a different comment each time, for as long as the connection
  // lasts.
  expect(log().match(/execute rollcall_\w+: [^[]*traceparent/g)).toBeNull();
});

test("the statements of other calls name no trace, and are prepared", async () => {
  await using server = await start();
  const before = postgres.log().length;
  await callAll(server, unsampled);
  const log = () => postgres.log().slice(before);
  await expect.poll(() => log().match(/statement: COMMIT/g)).toHaveLength(3);
  expect(log()).not.toContain("traceparent");
  for (const name of ["find_many", "insert", "update", "delete", "change_history"]) {
    expect(log()).toContain(`execute rollcall_${name}:`);
  }
  expect(await server.queries()).toEqual([]);
});

test("pg_stat_activity shows the trace of a recorded call that waits for a lock", async () => {
  await using server = await start();
  const { users, url, username } = server;
  const { user } = await users.createUser({ email: "ada@example.com", name: "Ada" }, unsampled);
  const { id = "" } = user ?? {};
  const holding = postgres.query("BEGIN; LOCK TABLE users IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(600)", url);
  holding.catch(() => {});
  const holder = `FROM pg_stat_activity WHERE usename = '${username}' AND wait_event = 'PgSleep'`;
  await expect.poll(() => postgres.query(`SELECT pid ${holder}`)).toHaveLength(1);
  const waiting = `SELECT query FROM pg_stat_activity WHERE usename = '${username}' AND wait_event_type = 'Lock'
    ORDER BY query_start`;
  const calls = [users.getUser({ id }, unsampled)];
  await expect.poll(() => postgres.query(waiting)).toHaveLength(1);
  calls.push(users.getUser({ id }, sampled));
  await expect.poll(() => postgres.query(waiting)).toHaveLength(2);
  const queries = (await postgres.query(waiting)).map(({ query }) => String(query));
  await postgres.query(`SELECT pg_terminate_backend(pid) ${holder}`);
  await Promise.all(calls);
  const [{ spanId } = { spanId: "" }] = await server.queries();
  expect(queries[0]).not.toContain("traceparent");
  expect(queries[1]).toMatch(new RegExp(`\\/\\*traceparent='00-${traceId}-${spanId}-01'\\*\\/$`));
});

test("the span of a query that fails has PostgreSQL's code; one that finds no user has not failed", async () => {
  await using server = await start();
  const { users, url, username } = server;
  await expect(users.updateUser({ id: "x", name: "Ada" }, sampled)).rejects.toMatchObject({ code: Code.NotFound });
  await postgres.query(`REVOKE SELECT ON users FROM ${username}`, url);
  await expect(users.listUsers({}, sampled)).rejects.toMatchObject({ code: Code.Unavailable });
  const [refused, failed] = await server.queries();
  expect(refused).toMatchObject({ name: "UPDATE users", status: 0 });
  expect(refused?.attributes).not.toHaveProperty("error.type");
  expect(failed).toMatchObject({
    ...{ name: "SELECT users", status: 2 },
    attributes: { "error.type": "42501", "db.response.status_code": "42501" },
  });
});
