import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { StreamService } from "@rollcall/gen/stream/v1/stream";
import { UserService } from "@rollcall/gen/user/v1/user";
import { childEnv } from "@rollcall/testing/child-env";
import { freePort } from "@rollcall/testing/free-port";
import { sharedPostgres } from "@rollcall/testing/shared-postgres";
import { type ServerProcess, startProcess } from "@rollcall/testing/start-process";
import { until } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";
import { type Metrics, readMetrics } from "../telemetry/support/read-metrics.ts";

const program = join(import.meta.dirname, "support/workers-main.ts");
const WORKERS = 2;
// Only Linux spreads connections among the listeners of a port; elsewhere the server refuses WORKERS above 1.

/** Returns the lines of the common log. Throws for a line that is cut or mixed with another. */
function linesOf(server: ServerProcess): Record<string, unknown>[] {
  const lines = server.output().split("\n").slice(0, -1);
  return lines.flatMap((line) => (line.includes("#token=") ? [] : [JSON.parse(line)]));
}

const pids = (server: ServerProcess) =>
  linesOf(server).flatMap(({ msg, pid }) => (msg === "worker serves" ? [Number(pid)] : []));

/** Returns the number of calls that have a line in the log. */
const callsInLog = (server: ServerProcess) => linesOf(server).filter(({ msg }) => msg === "call").length;

const callsOf = (metrics: Metrics) =>
  metrics.find("rollcall_calls_total").reduce((total, { value }) => total + value, 0);

async function startWorkers(): Promise<ServerProcess> {
  const server = await startProcess({ program });
  await until(() => pids(server).length === WORKERS);
  return server;
}

/** Opens a client with its own connection. */
function connect({ url, headers }: ServerProcess) {
  const sessionManager = new Http2SessionManager(url);
  const transport = createGrpcTransport({ baseUrl: url, sessionManager });
  const [users, streams] = [createClient(UserService, transport), createClient(StreamService, transport)];
  return {
    list: () => users.listUsers({}, { headers }),
    create: (fields: { email: string; name: string }) => users.createUser(fields, { headers }),
    chat: (messages: AsyncIterable<{ message: string }>) => streams.bidirectionalStream(messages, { headers }),
    [Symbol.dispose]: () => sessionManager.abort(),
  };
}

/** Makes a call on a new connection, and waits for its log line. Later counts then include it. */
async function callOnce(server: ServerProcess): Promise<void> {
  const before = callsInLog(server);
  using client = connect(server);
  await client.list();
  await until(() => callsInLog(server) > before);
}

/** Makes calls on new connections until both workers have answered some. */
async function callBoth(server: ServerProcess): Promise<void> {
  const before = linesOf(server).length;
  const answeredBy = () =>
    new Set(
      linesOf(server)
        .slice(before)
        .flatMap(({ msg, worker }) => (msg === "call" ? [worker] : [])),
    );
  for (let connections = 0; answeredBy().size < WORKERS; connections++) {
    expect(connections).toBeLessThan(200);
    await callOnce(server);
  }
}

test.skipIf(process.platform !== "linux")("two workers serve one port, and stop as one", async () => {
  await using server = await startWorkers();
  await callBoth(server);
  const counted = await readMetrics(server.url);
  await until(() => callsInLog(server) === callsOf(counted));
  expect(counted.find("process_uptime_seconds").map(({ labels }) => labels)).toEqual([
    { worker: "1" },
    { worker: "2" },
  ]);
  expect(counted.value("rollcall_workers", { state: "serving" })).toBe(WORKERS);

  // A dead worker is replaced while the other one serves.
  const first = linesOf(server).find(({ msg }) => msg === "worker serves");
  process.kill(Number(first?.pid), "SIGKILL");
  const replaced = { msg: "worker ended: it is started again", level: "error", worker: first?.worker };
  await until(() => linesOf(server).some(({ msg }) => msg === replaced.msg));
  expect(linesOf(server)).toContainEqual(expect.objectContaining({ ...replaced, signal: "SIGKILL", restartMs: 100 }));
  await callOnce(server);
  await until(() => pids(server).length === WORKERS + 1);
  await callBoth(server);
  // The dead worker's counts up to the last reading of its metrics are kept.
  const countedSince = callsOf(await readMetrics(server.url));
  await until(() => callsInLog(server) === countedSince);

  // A second server cannot listen on the port too.
  const { port } = new URL(server.url);
  const second = spawnSync(process.execPath, [program], { env: { ...childEnv, PORT: port }, encoding: "utf8" });
  expect(second.status).toBe(1);
  expect(second.stderr).toContain(`can't listen on 127.0.0.1:${port}: the port is in use`);

  // One SIGTERM drains all workers: calls under way end well.
  const { promise: stopped, resolve: goOn } = Promise.withResolvers<void>();
  async function* messages() {
    yield { message: "before" };
    await stopped;
    yield { message: "after" };
  }
  const clients = Array.from({ length: 8 }, () => connect(server));
  const chats = clients.map(({ chat }) => chat(messages())[Symbol.asyncIterator]());
  await Promise.all(chats.map((chat) => chat.next()));
  server.process.kill("SIGTERM");
  const isRefused = () =>
    fetch(server.url).then(
      () => false,
      () => true,
    );
  await expect.poll(isRefused).toBe(true);
  goOn();
  for (const chat of chats) {
    expect((await chat.next()).value?.reply).toContain("after");
    expect((await chat.next()).done).toBe(true);
  }
  expect(await server.exited).toBe(0);
  for (const each of clients) each[Symbol.dispose]();
});

test.skipIf(process.platform !== "linux")("the server itself runs workers over PostgreSQL", async () => {
  const postgres = await sharedPostgres();
  const probePort = await freePort();
  const env = {
    ...{ DATABASE_URL: await postgres.createSchema(), WORKERS: String(WORKERS), AUTH_SECRET: "" },
    ...{ PROBE_PORT: String(probePort), DATABASE_CONNECTIONS: "3", DATABASE_TIMEOUT_MS: "60000" },
  };
  await using server = await startProcess({ env });
  await until(() => server.output().split('"worker serves"').length - 1 === WORKERS);
  using first = connect(server);
  const { user } = await first.create({ email: "ada@example.com", name: "Ada" });
  // Each worker sees the writes of the others.
  for (let connections = 0; connections < 10; connections++) {
    using client = connect(server);
    expect((await client.list()).users).toContainEqual(expect.objectContaining({ id: user?.id }));
  }
  // A call counts only after the server has ended it.
  await expect.poll(async () => callsOf(await readMetrics(`http://localhost:${probePort}`))).toBe(11);
  const metrics = await readMetrics(`http://localhost:${probePort}`);
  expect(metrics.value("db_client_connection_max")).toBe(WORKERS * 3);
  server.process.kill("SIGHUP");
  await until(() => server.output().split('"SIGHUP: there are no certificates').length - 1 === WORKERS);
  server.process.kill("SIGTERM");
  expect(await server.exited).toBe(0);
});

test.skipIf(process.platform !== "linux")("workers end when the process above them is killed", async () => {
  await using server = await startWorkers();
  const workers = pids(server);
  await server.kill();
  await until(() => workers.every((pid) => !isAlive(pid)));
});

test("workers that can't start end the whole, with their exit code, and are not tried again", () => {
  const { status, stdout } = spawnSync(process.execPath, [program], {
    env: { ...childEnv, PORT: "0", FAILS: "2" },
    encoding: "utf8",
  });
  expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
});

/** Returns whether a process runs. An ended process may still be listed until its parent has read its exit code. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}
