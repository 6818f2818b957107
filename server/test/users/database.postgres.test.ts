import { Code, ConnectError } from "@connectrpc/connect";
import { OutcomeUnknownError, StaleUserError } from "@rollcall/client";
import { createRollcall, type NodeRollcallOptions } from "@rollcall/client/node";
import { ErrorInfoSchema, RetryInfoSchema } from "@rollcall/gen/google/rpc/error_details";
import { startCommitCutter } from "@rollcall/testing/commit-cutter";
import { sharedPostgres } from "@rollcall/testing/shared-postgres";
import { startPostgres } from "@rollcall/testing/start-postgres";
import { startServer } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";
import { openPostgresUserRepository } from "../../src/repository/postgres/user-repository.ts";
import { addressOf } from "../support/address-of.ts";
import { readMetrics } from "../telemetry/support/read-metrics.ts";

const shared = await sharedPostgres();

const wires: Pick<NodeRollcallOptions, "protocol" | "httpVersion">[] = [
  { protocol: "grpc" },
  { protocol: "grpc-web" },
  { protocol: "connect", httpVersion: "1.1" },
];

const readiness = async (url: string) => {
  const response = await fetch(`${url}/readyz`);
  return { status: response.status, body: await response.json() };
};

const retriesOf = (error: unknown) => ConnectError.from(error).findDetails(RetryInfoSchema);

test("the writes of each transaction are counted", async () => {
  const address = addressOf(await shared.createSchema());
  const repository = await openPostgresUserRepository({ address, timeoutMs: 60_000 });
  await using server = await startServer({ repository });
  await using client = createRollcall({ baseUrl: server.url, token: await server.token(), timeoutMs: 60_000 });
  await Promise.all([1, 2, 3].map((n) => client.users.create({ email: `${n}@example.com`, name: "Ada" })));
  const metrics = await readMetrics(server.url);
  expect(metrics.value("rollcall_commit_writes_sum")).toBe(3);
  expect(metrics.value("rollcall_commit_writes_count")).toBeLessThanOrEqual(3);
  expect(repository.stats?.system).toBe("postgresql");
});

test.each(wires)("two servers share a directory, by $protocol", async (wire) => {
  const url = await shared.createSchema();
  const open = () => openPostgresUserRepository({ address: addressOf(url), timeoutMs: 60_000 });
  await using one = await startServer({ repository: await open() });
  await using other = await startServer({ repository: await open(), auth: false });
  await using first = createRollcall({ baseUrl: one.url, token: await one.token(), timeoutMs: 60_000, ...wire });
  await using second = createRollcall({ baseUrl: other.url, timeoutMs: 60_000, ...wire });
  const clients = [first, second];

  const creates = Array.from({ length: 20 }, (_, index) =>
    clients[index % 2]?.users.create({ email: "ada@example.com", name: `Ada ${index}` }),
  );
  const created = (await Promise.allSettled(creates)).flatMap((result) => {
    return result.status === "fulfilled" && result.value ? [result.value] : [];
  });
  expect(created).toHaveLength(1);
  const [ada] = created;
  const { id = "", etag = "" } = ada ?? {};
  expect(await second.users.get(id)).toEqual(ada);
  const updates = Array.from({ length: 20 }, (_, index) =>
    clients[index % 2]?.users.update(id, { name: `${index}` }, { etag }),
  );
  const outcomes = await Promise.allSettled(updates);
  expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  const losers = outcomes.filter((outcome) => outcome.status === "rejected");
  expect(losers.every(({ reason }) => reason instanceof StaleUserError)).toBe(true);

  const page = await first.users.list({ filter: "ada example" });
  expect(page.users.map((user) => user.id)).toEqual([id]);
  await first.users.delete(id);
  expect((await second.users.list()).users).toEqual([]);
});

test("calls are unavailable while the database is away, with the time to try again, and go on when it is back", async () => {
  await using postgres = await startPostgres();
  const url = await postgres.createSchema();
  await using server = await startServer({ repository: await openPostgresUserRepository({ address: addressOf(url) }) });
  const token = await server.token();
  const options = { baseUrl: server.url, token, timeoutMs: 60_000 };
  const calls = wires.map((wire) => createRollcall({ ...options, retry: false, ...wire }));
  // The retries of this client wait for the database, as a caller's would.
  await using patient = createRollcall(options);
  const { id } = await patient.users.create({ email: "ada@example.com", name: "Ada" });
  await expect.poll(() => readiness(server.url)).toEqual({ status: 200, body: { status: "ready" } });

  await postgres.kill();
  for (const client of calls) {
    const fails = [() => client.users.get(id), () => client.users.create({ email: "b@example.com", name: "B" })];
    for (const call of fails) {
      const error: unknown = await call().catch((reason) => reason);
      expect(error).toMatchObject({ code: Code.Unavailable, rawMessage: "database unavailable" });
      expect(retriesOf(error)).toHaveLength(1);
    }
  }
  const body = { status: "unavailable", reason: "database-unavailable", message: expect.any(String) };
  expect(await readiness(server.url)).toEqual({ status: 503, body });

  await postgres.start();
  await expect.poll(() => patient.users.get(id).catch(() => undefined)).toMatchObject({ id });
  await expect.poll(() => readiness(server.url)).toEqual({ status: 200, body: { status: "ready" } });
  for (const client of calls) await client[Symbol.asyncDispose]();
  const password = new URL(url).password;
  expect(JSON.stringify(server.log)).not.toContain(`:${password}@`);
});

test("an unknown outcome has a reason of its own, and only what is safe is repeated", async () => {
  const url = await shared.createSchema();
  await using cutter = await startCommitCutter(shared.port);
  const address = { ...addressOf(url), port: cutter.port };
  // The default of one second can be too short on a busy machine even without a fault.
  const repository = await openPostgresUserRepository({ address, timeoutMs: 4_000 });
  await using server = await startServer({ repository });
  const token = await server.token();
  await using client = createRollcall({ baseUrl: server.url, token, timeoutMs: 60_000 });
  const ada = await client.users.create({ email: "ada@example.com", name: "Ada" });

  cutter.staysAway = true;
  cutter.cut("after");
  const error: unknown = await client.users.update(ada.id, { name: "A." }).catch((reason) => reason);
  expect(error).toBeInstanceOf(OutcomeUnknownError);
  expect((error as OutcomeUnknownError).message).toBe("the outcome of this write is unknown");
  expect(retriesOf((error as OutcomeUnknownError).cause)).toHaveLength(1);
  const reasons = (error as OutcomeUnknownError).cause.findDetails(ErrorInfoSchema).map(({ reason }) => reason);
  expect(reasons).toEqual(["OUTCOME_UNKNOWN"]);

  cutter.comeBack();
  await expect.poll(() => client.users.get(ada.id).catch(() => undefined)).toMatchObject({ name: "A." });
  // The create has a request id from the client. The first attempt creates the user, and the second replays the answer.
  cutter.cut("after");
  const creating = client.users.create({ email: "grace@example.com", name: "Grace" });
  await expect.poll(() => cutter.cuts).toBe(2);
  await expect.poll(() => server.log.some(({ msg, err }) => msg === "call failed" && isUnknown(err))).toBe(true);
  cutter.comeBack();
  expect(await creating).toMatchObject({ email: "grace@example.com" });
  expect((await client.users.list()).users).toHaveLength(2);
});

function isUnknown(error: unknown): boolean {
  return JSON.stringify(error ?? {}).includes("the outcome of this write is unknown");
}
