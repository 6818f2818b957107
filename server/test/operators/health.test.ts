import { renameSync } from "node:fs";
import http2 from "node:http2";
import { join } from "node:path";
import { Code, type ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { createFetchTransport } from "@rollcall/client";
import { Health, HealthCheckResponse_ServingStatus as Status } from "@rollcall/gen/grpc/health/v1/health";
import { StreamService } from "@rollcall/gen/stream/v1/stream";
import { UserService } from "@rollcall/gen/user/v1/user";
import { cells, errorOf, startServerFor, testCa } from "@rollcall/testing/matrix";
import { ProbeService, withProbe } from "@rollcall/testing/probe-service";
import { startServer, type TestServer, until } from "@rollcall/testing/start-server";
import { withFolderEach } from "@rollcall/testing/test-folder";
import { describe, expect, onTestFinished, test } from "vitest";
import { MAX_HEALTH_CHECKS } from "../../src/limits.ts";
import { openSqliteUserRepository } from "../../src/repository/sqlite/user-repository.ts";
import { startFullServer } from "../hardening/support/full-server.ts";

let folder: string;
withFolderEach((created) => {
  folder = created;
});

const users = UserService.typeName;
const streams = StreamService.typeName;

/** Returns a client without a token, with its own connection. */
function healthOf(server: TestServer, sessionManager?: Http2SessionManager) {
  return createClient(Health, createGrpcTransport({ baseUrl: server.url, ...(sessionManager && { sessionManager }) }));
}

/** Records the statuses that a watch reports, and how it ends. */
function watch(server: TestServer, service: string, sessionManager?: Http2SessionManager) {
  const statuses: Status[] = [];
  const controller = new AbortController();
  const read = async () => {
    const answers = healthOf(server, sessionManager).watch({ service }, { signal: controller.signal });
    for await (const { status } of answers) statuses.push(status);
  };
  const ended = read().then(
    () => undefined,
    (error: ConnectError) => error,
  );
  return { statuses, ended, stop: () => controller.abort() };
}

describe.each(cells)("$protocol over $connection", (cell) => {
  test("tells everybody how the server and each service are", async () => {
    await using server = await startServerFor(cell);
    const { httpVersion } = cell;
    const transport = cell.createTransport({
      ...{ baseUrl: server.url, httpVersion, nodeOptions: { ca: testCa }, interceptors: [] },
    });
    const health = createClient(Health, transport);
    for (const service of ["", users, streams, Health.typeName]) {
      expect((await health.check({ service })).status).toBe(Status.SERVING);
      for await (const { status } of health.watch({ service })) {
        expect(status).toBe(Status.SERVING);
        break;
      }
    }
    const { statuses } = await health.list({});
    expect(Object.keys(statuses)).toEqual(expect.arrayContaining(["", users, streams, Health.typeName]));
    const unknown = await errorOf(health.check({ service: "user.v1" }));
    expect([unknown.code, unknown.rawMessage]).toEqual([Code.NotFound, "unknown service"]);
  });
});

test("a browser's page may ask too", async () => {
  await using server = await startServer();
  const health = createClient(Health, createFetchTransport({ baseUrl: server.url }));
  expect((await health.check({})).status).toBe(Status.SERVING);
});

test("a service of the host is known by its name", async () => {
  await using server = await startServer(withProbe({}));
  expect((await healthOf(server).check({ service: ProbeService.typeName })).status).toBe(Status.SERVING);
});

test("a host's own health service is left to it", async () => {
  const status = Status.NOT_SERVING;
  await using server = await startServer({
    routes: (router) => router.service(Health, { check: () => ({ status }) }),
  });
  expect((await healthOf(server).check({})).status).toBe(status);
});

test("follows the database, and a watch reports each change once", async () => {
  const path = join(folder, "users.db");
  await using server = await startServer({ repository: openSqliteUserRepository({ path }) });
  const whole = watch(server, "");
  const directory = watch(server, users);
  const other = watch(server, streams);
  const unknown = watch(server, "user.v1");
  await until(() => [whole, directory, other, unknown].every(({ statuses }) => statuses.length === 1));

  // Only the watches look at the database here.
  for (const end of ["", "-wal", "-shm"]) renameSync(path + end, `${path}-moved${end}`);
  await until(() => whole.statuses.length > 1 && directory.statuses.length > 1);
  const health = healthOf(server);
  const statusOf = async (service: string) => (await health.check({ service })).status;
  expect([await statusOf(""), await statusOf(users)]).toEqual([Status.NOT_SERVING, Status.NOT_SERVING]);
  // Streams need no database.
  expect(await statusOf(streams)).toBe(Status.SERVING);
  const probe = await fetch(`${server.url}/readyz`);
  expect([probe.status, await probe.json()]).toEqual([
    503,
    {
      status: "unavailable",
      reason: "database-missing",
      message: "the database was dropped, or a file of it removed, renamed or replaced",
    },
  ]);

  for (const end of ["", "-wal", "-shm"]) renameSync(`${path}-moved${end}`, path + end);
  await until(() => whole.statuses.length > 2 && directory.statuses.length > 2);
  const { SERVING, NOT_SERVING, SERVICE_UNKNOWN } = Status;
  for (const { statuses } of [whole, directory]) expect(statuses).toEqual([SERVING, NOT_SERVING, SERVING]);
  expect(other.statuses).toEqual([SERVING]);
  expect(unknown.statuses).toEqual([SERVICE_UNKNOWN]);
  const reports = server.log.filter(({ msg }) => msg === "not ready" || msg === "ready again");
  expect(reports.map(({ msg }) => msg)).toEqual(["not ready", "ready again"]);
});

test("a drain is reported at once, on connections that stay open, and waits for no watch", async () => {
  // On a busy machine, the delay may be over before the check comes. Then a longer delay is tried.
  for (let shutdownDelayMs = 1_000; !(await isDrainSeen(shutdownDelayMs)); shutdownDelayMs *= 4) {
    expect(shutdownDelayMs).toBeLessThan(60_000);
  }
});

/** Returns whether a check came within the delay of a stop. Asserts what the check and the watches received. */
async function isDrainSeen(shutdownDelayMs: number): Promise<boolean> {
  // The grace is so long that a stop that waited for the watches would exceed the test's time limit.
  const server = await startServer({ shutdownDelayMs, shutdownGraceMs: 600_000 });
  const sessionManager = new Http2SessionManager(server.url);
  const watches = ["", users, streams].map((service) => watch(server, service, sessionManager));
  await until(() => watches.every(({ statuses }) => statuses.length === 1));
  let isClosed = false;
  const closingAtMs = performance.now();
  const closed = server.app.close().then(() => {
    isClosed = true;
  });
  await until(() => watches.every(({ statuses }) => statuses.length === 2));
  const check = await healthOf(server, sessionManager)
    .check({ service: streams })
    .catch((error: ConnectError) => error);
  const isInTime = performance.now() - closingAtMs < shutdownDelayMs;
  if (isInTime) {
    expect(check).toMatchObject({ status: Status.NOT_SERVING });
    expect(isClosed).toBe(false);
  }
  for (const { ended, statuses } of watches) {
    expect(await ended).toMatchObject({ code: Code.Unavailable, rawMessage: "server is shutting down" });
    expect(statuses).toEqual([Status.SERVING, Status.NOT_SERVING]);
  }
  await closed;
  return isInTime;
}

test("without a delay the last status still arrives ahead of the end", async () => {
  const server = await startServer({ shutdownGraceMs: 600_000 });
  const { statuses, ended } = watch(server, "");
  await until(() => statuses.length === 1);
  await server.app.close();
  expect(await ended).toMatchObject({ code: Code.Unavailable });
  expect(statuses).toEqual([Status.SERVING, Status.NOT_SERVING]);
});

describe("a stranger's watches are bounded", () => {
  const tooMany = { code: Code.ResourceExhausted, rawMessage: "too many open streams without a token" };

  test("on one connection, and again free when they end", async () => {
    await using server = await startServer({ openStreams: { perConnection: 2 } });
    const sessionManager = new Http2SessionManager(server.url);
    const open = [watch(server, "", sessionManager), watch(server, "", sessionManager)];
    await until(() => open.every(({ statuses }) => statuses.length === 1));
    expect(await watch(server, "", sessionManager).ended).toMatchObject(tooMany);
    // Another connection has its own limit.
    const other = watch(server, "");
    await until(() => other.statuses.length === 1);
    open[0]?.stop();
    await open[0]?.ended;
    let next = watch(server, "", sessionManager);
    await until(() => {
      if (next.statuses.length > 0) return true;
      // The end of a watch takes a moment to arrive.
      void next.ended.then((error) => {
        if (error) next = watch(server, "", sessionManager);
      });
      return false;
    });
  });

  test.each([{ perAddress: 2 }, { total: 2 }])("in all: %o", async (openStreams) => {
    await using server = await startServer({ openStreams });
    const open = [watch(server, ""), watch(server, "")];
    await until(() => open.every(({ statuses }) => statuses.length === 1));
    expect(await watch(server, "").ended).toMatchObject(tooMany);
    // Other callers' calls still succeed.
    expect((await healthOf(server).check({})).status).toBe(Status.SERVING);
    const results = createClient(StreamService, createGrpcTransport({ baseUrl: server.url })).serverStream(
      { query: "x" },
      { headers: await server.auth() },
    );
    expect(await Array.fromAsync(results)).toHaveLength(10);
  });
});

/** Opens calls on their own connection, but sends no messages. The promises resolve with the calls' error messages. */
function openHalf(server: TestServer, method: string, count: number): Promise<string>[] {
  const session = http2.connect(server.url);
  onTestFinished(() => session.destroy());
  return Array.from({ length: count }, () => {
    const headers = { ":method": "POST", ":path": `/grpc.health.v1.Health/${method}` };
    const stream = session.request({ ...headers, "content-type": "application/grpc" });
    stream.on("error", () => {});
    return new Promise<string>((resolve) => {
      for (const event of ["response", "trailers"]) {
        stream.on(event, ({ "grpc-message": message }: http2.IncomingHttpHeaders) => {
          if (message !== undefined) resolve(decodeURIComponent(String(message)));
        });
      }
      stream.resume();
      stream.on("close", () => resolve("closed"));
    });
  });
}

test("watches whose messages do not come are counted too", async () => {
  await using server = await startServer({ openStreams: { perConnection: 2 } });
  const answer = await Promise.race(openHalf(server, "Watch", 3));
  expect(answer).toBe("too many open streams without a token");
});

test("checks whose messages do not come take no place of other calls, nor for long of other checks", async () => {
  await using server = await startServer({
    maxCalls: 4,
    admission: { patienceMs: 100 },
    ...withProbe({ unary: (m) => m }),
  });
  for (let connection = 0; connection < 4; connection++) openHalf(server, "Check", MAX_HEALTH_CHECKS / 4);
  const probe = createClient(ProbeService, createGrpcTransport({ baseUrl: server.url }));
  expect((await probe.unary({ value: "x" }, { headers: await server.auth() })).value).toBe("x");
  const check = async () => (await healthOf(server).check({})).status;
  for (;;) {
    const status = await check().catch(({ code }: ConnectError) => code);
    if (status === Status.SERVING) break;
    expect(status).toBe(Code.Unavailable);
  }
});

test("a check is served while the server refuses all other calls", async () => {
  await using full = await startFullServer();
  const { server } = full;
  for (const httpVersion of ["1.1", "2"] as const) {
    const { createTransport } = cells.find(({ protocol }) => protocol === "Connect proto") ?? expect.unreachable();
    const transport = createTransport({ baseUrl: server.url, httpVersion, nodeOptions: {}, interceptors: [] });
    expect((await createClient(Health, transport).check({})).status).toBe(Status.SERVING);
    const headers = await server.auth();
    const control = await errorOf(createClient(ProbeService, transport).unary({ value: "x" }, { headers }));
    expect(control.code).toBe(Code.Unavailable);
  }
  full.release();
});

test("checks are logged for debugging alone", async () => {
  await using server = await startServer();
  await healthOf(server).check({});
  const line = await until(() => server.log.find(({ msg }) => msg === "call"));
  expect(line).toMatchObject({ level: "debug", method: "grpc.health.v1.Health/Check", code: "ok" });
});
