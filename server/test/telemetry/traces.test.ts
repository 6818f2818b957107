import { BlockList } from "node:net";
import { setImmediate } from "node:timers/promises";
import { Code, createClient } from "@connectrpc/connect";
import { trace } from "@opentelemetry/api";
import { StreamService } from "@rollcall/gen/stream/v1/stream";
import { UserService } from "@rollcall/gen/user/v1/user";
import type { AppOptions } from "@rollcall/server";
import { connections, createCellTransport, protocolCells, protocols } from "@rollcall/testing/matrix";
import { startOtlpReceiver, startSilentServer } from "@rollcall/testing/otlp/receiver";
import { ProbeService, withProbe } from "@rollcall/testing/probe-service";
import { rawRequest } from "@rollcall/testing/raw/http";
import { rpcEngine } from "@rollcall/testing/rpc-engine";
import { startServer, type TestServer, until } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";
import packageJson from "../../package.json" with { type: "json" };
import { prometheusName } from "../../src/telemetry/metrics/prometheus-text.ts";
import { UNARY } from "../hardening/support/full-server.ts";
import { type Metrics, readMetrics } from "./support/read-metrics.ts";

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
const spanId = "00f067aa0ba902b7";
const sampled = { traceparent: `00-${traceId}-${spanId}-01` };
const unsampled = { traceparent: `00-${traceId}-${spanId}-00` };

/** Grace of a stop, in milliseconds. On a busy machine, the last export may take long. */
const shutdownGraceMs = 60_000;

/** Makes calls to a server that exports. After the server has stopped, returns the data that the receiver got. */
async function exportOf(
  makeCalls: (server: TestServer) => Promise<unknown>,
  otlp: Partial<AppOptions["otlp"]> = {},
  options: Pick<AppOptions, "limits"> = {},
) {
  await using receiver = await startOtlpReceiver();
  const server = await startServer({ ...options, otlp: { endpoint: receiver.endpoint, ...otlp }, shutdownGraceMs });
  try {
    await makeCalls(server);
  } finally {
    await server.app.close();
  }
  const { spans, metrics, resource } = receiver;
  return { spans, metrics, resource, log: server.log };
}

const overGrpc = async (server: TestServer) =>
  createClient(UserService, await createCellTransport(server, { ...protocols.grpc, ...connections.h2c }));

test.each(protocolCells)("over $protocol, calls of both kinds have spans by the conventions", async (cell) => {
  const { spans, resource } = await exportOf(async (server) => {
    const transport = await createCellTransport(server, cell);
    const users = createClient(UserService, transport);
    await users.createUser({ email: "ada@example.com", name: "Ada" }, { headers: sampled });
    await expect(users.getUser({ id: "x" })).rejects.toMatchObject({ code: Code.NotFound });
    const streams = createClient(StreamService, transport);
    for await (const _ of streams.serverStream({ query: "x" }, { headers: sampled }));
  });
  expect(resource).toMatchObject({
    "service.name": "rollcall",
    "service.version": packageJson.version,
    "service.instance.id": expect.stringMatching(/^[\da-f-]{36}$/),
    "telemetry.sdk.name": "opentelemetry",
  });
  const calls = spans.filter(({ kind }) => kind === 2);
  const isConnect = cell.logName === "connect";
  const attributes = (method: string, status: string) => ({
    "rpc.system.name": isConnect ? "connectrpc" : "grpc",
    "rpc.method": method,
    "rpc.status_code": isConnect ? status.toLowerCase() : status,
    "network.peer.address": expect.stringMatching(/^(127\.0\.0\.1|::1)$/),
    "network.peer.port": expect.any(Number),
    "rollcall.request_id": expect.any(String),
  });
  expect(calls.map((span) => [span.name, span.status, span.attributes])).toEqual([
    ["user.v1.UserService/CreateUser", 0, attributes("user.v1.UserService/CreateUser", "OK")],
    ["user.v1.UserService/GetUser", 0, attributes("user.v1.UserService/GetUser", "NOT_FOUND")],
    ["stream.v1.StreamService/ServerStream", 0, attributes("stream.v1.StreamService/ServerStream", "OK")],
  ]);
  const [create, get, stream] = calls;
  for (const span of [create, stream]) expect(span).toMatchObject({ traceId, parentSpanId: spanId });
  expect(get).toMatchObject({ traceId: expect.not.stringMatching(traceId), parentSpanId: "" });
  expect(Math.abs((create?.startMs ?? 0) - Date.now())).toBeLessThan(60_000);

  // The queries' spans are children of the calls' spans.
  const queries = spans.filter(({ kind }) => kind === 3);
  expect(queries.map(({ name, traceId, parentSpanId }) => ({ name, traceId, parentSpanId }))).toEqual([
    { name: "INSERT users", traceId, parentSpanId: create?.spanId },
    { name: "SELECT users", traceId: get?.traceId, parentSpanId: get?.spanId },
  ]);
  expect(queries[0]?.attributes).toEqual({
    "db.system.name": "sqlite",
    "db.operation.name": "INSERT",
    "db.collection.name": "users",
  });
  expect(queries[0]?.durationMs).toBeLessThanOrEqual(create?.durationMs ?? 0);
});

test.each(["192.0.2.1", "[2001:db8::1]", "[2001:db8::1]:4711"])(
  "behind a proxy that forwards for %s, a span has the client, and the proxy as the connection's other end",
  async (client) => {
    const forwarded = `for="${client}"`;
    const makeCalls = async (server: TestServer) => {
      for (const cell of [
        { ...protocols.grpc, ...connections.h2c },
        { ...protocols.connectJson, ...connections.http1 },
      ]) {
        const users = createClient(UserService, await createCellTransport(server, cell));
        await users.getUser({ id: "x" }, { headers: { forwarded } }).catch(() => {});
      }
    };
    const trustedProxies = new BlockList();
    trustedProxies.addAddress("127.0.0.1");
    trustedProxies.addAddress("::1", "ipv6");
    const behindProxy = await exportOf(makeCalls, {}, { limits: { trustedProxies } });
    const direct = await exportOf(makeCalls);
    const [, address, port] = /^\[?(.*?)\]?(?::(4711))?$/.exec(client) ?? [];
    const other = {
      "network.peer.address": expect.stringMatching(/^(127\.0\.0\.1|::1)$/),
      "network.peer.port": expect.any(Number),
    };
    const named = { "client.address": address, ...(port && { "client.port": Number(port) }) };
    const addressesIn = ({ spans }: Awaited<ReturnType<typeof exportOf>>) =>
      spans
        .filter(({ kind }) => kind === 2)
        .map(({ attributes }) => Object.entries(attributes).filter(([name]) => /^(network|client)\./.test(name)))
        .map((entries) => Object.fromEntries(entries));
    expect(addressesIn(behindProxy)).toEqual(Array(2).fill({ ...other, ...named }));
    expect(addressesIn(direct)).toEqual(Array(2).fill(other));
  },
);

test("a history has a span of its query", async () => {
  const { spans } = await exportOf(async (server) => {
    await (await overGrpc(server)).getUserHistory({ id: "nobody" }, { headers: sampled });
  });
  expect(spans.map(({ name }) => name)).toEqual(["SELECT changes", "user.v1.UserService/GetUserHistory"]);
});

test("a call is recorded if its caller records it; those that begin a trace, as many as are asked for", async () => {
  const makeCalls = async (server: TestServer) => {
    const users = await overGrpc(server);
    for (const headers of [sampled, unsampled, {}]) await users.listUsers({}, { headers });
  };
  const none = await exportOf(makeCalls, { sampleRatio: 0 });
  expect(none.spans.map((span) => [span.name, span.traceId])).toEqual([
    ["SELECT users", traceId],
    ["user.v1.UserService/ListUsers", traceId],
  ]);
  const all = await exportOf(makeCalls, { sampleRatio: 1 });
  const calls = all.spans.filter(({ kind }) => kind === 2);
  expect(calls.map((span) => span.traceId)).toEqual([traceId, expect.not.stringMatching(traceId)]);
  // The log has the ids of all calls, recorded or not.
  const idsInLog = all.log.filter(({ msg }) => msg === "call").map((line) => line.traceId);
  expect(idsInLog).toEqual([traceId, traceId, calls[1]?.traceId]);
});

test("a fault of the server is an error of its span, and its cause has the same trace in the log", async () => {
  await using receiver = await startOtlpReceiver();
  const probe = withProbe({
    unary() {
      throw new TypeError("a bug");
    },
  });
  const server = await startServer({ otlp: { endpoint: receiver.endpoint }, shutdownGraceMs, ...probe });
  const headers = { "content-type": "application/json", ...(await server.auth()), ...sampled };
  await rawRequest("POST", server.url + UNARY, headers, '"x"');
  await server.app.close();
  expect(receiver.spans).toMatchObject([{ name: UNARY.slice(1), status: 2, attributes: { "error.type": "internal" } }]);
  expect(JSON.stringify(receiver.spans)).not.toContain("a bug");
  const failed = server.log.find(({ msg }) => msg === "call failed");
  expect(failed).toMatchObject({ traceId, requestId: receiver.spans[0]?.attributes["rollcall.request_id"] });
});

test("handlers of a host are within the span of their call, streams too", async () => {
  const active: (string | undefined)[] = [];
  const traceIdHere = () => trace.getActiveSpan()?.spanContext().traceId;
  await using receiver = await startOtlpReceiver();
  const probe = withProbe({
    async unary({ value }) {
      await setImmediate();
      active.push(traceIdHere());
      return { value };
    },
    async *serverStream({ value }) {
      yield { value };
      await setImmediate();
      active.push(traceIdHere());
    },
  });
  const server = await startServer({ otlp: { endpoint: receiver.endpoint }, shutdownGraceMs, ...probe });
  const transport = await createCellTransport(server, { ...protocols.grpc, ...connections.h2c });
  const client = createClient(ProbeService, transport);
  await client.unary({ value: "x" }, { headers: sampled });
  for await (const _ of client.serverStream({ value: "x" }, { headers: sampled }));
  await server.app.close();
  // Connect's own carrier reads the messages of a stream outside its handler.
  expect(active).toEqual(rpcEngine === "stock" ? [traceId, undefined] : [traceId, traceId]);
});

test("the metrics are exported too, with the names, kinds and values that Prometheus reads", async () => {
  let atPrometheus: Metrics | undefined;
  const { metrics } = await exportOf(async (server) => {
    const users = await overGrpc(server);
    await users.createUser({ email: "ada@example.com", name: "Ada" });
    await users.listUsers({});
    atPrometheus = await readMetrics(server.url);
  });
  const kinds = { gauge: "gauge", upDownCounter: "gauge", counter: "counter", histogram: "histogram" };
  const asPrometheus = metrics.map(({ name, unit, kind, isMonotonic }) => {
    const type = kind === "sum" ? (isMonotonic ? "counter" : "upDownCounter") : kind;
    return [prometheusName({ name, unit, kind: type }), kinds[type]];
  });
  expect(asPrometheus).toEqual([...(atPrometheus?.types ?? [])]);
  const calls = metrics.find(({ name }) => name === "rollcall.calls");
  expect(calls?.points).toContainEqual({
    attributes: { "rpc.method": "user.v1.UserService/CreateUser", protocol: "grpc", code: "ok" },
    value: 1,
  });
  const durations = metrics.find(({ name }) => name === "rpc.server.call.duration");
  const sum = atPrometheus?.value("rpc_server_call_duration_seconds_sum", {
    rpc_method: "user.v1.UserService/ListUsers",
  });
  expect(
    durations?.points.find(({ attributes }) => String(attributes["rpc.method"]).endsWith("/ListUsers")),
  ).toMatchObject({
    attributes: { "rpc.system.name": "grpc", "rpc.status_code": "OK" },
    value: 1,
    sum,
  });
});

test.each([
  ["nobody listens", undefined, "ECONNREFUSED"],
  ["the receiver refuses", 403, "403"],
])("where %s, calls go on, the log has one line, and the stop is not held up", async (_case, status, reason) => {
  await using receiver = await startOtlpReceiver(status);
  // No receiver may listen here. A port that was used and released may belong to another program by now.
  const endpoint = status === undefined ? "http://127.0.0.1:9" : receiver.endpoint;
  const linesWithin = async (exportTimeoutMs: number) => {
    const server = await startServer({ otlp: { endpoint, exportTimeoutMs }, shutdownGraceMs });
    const users = await overGrpc(server);
    for (let i = 0; i < 20; i++) await users.listUsers({});
    const startedAtMs = performance.now();
    await server.app.close();
    expect(performance.now() - startedAtMs).toBeLessThan(30_000);
    expect(server.log.filter(({ msg }) => msg === "call")).toHaveLength(20);
    return server.log.filter(({ msg }) => String(msg).startsWith("telemetry"));
  };
  // Each export has time for only one attempt: the next would come after a second. On a busy machine, the time can be
  // over before the attempt.
  let lines = await linesWithin(500);
  for (let timeoutMs = 1_000; lines[0]?.reason === "timeout" && timeoutMs < 10_000; timeoutMs *= 2) {
    lines = await linesWithin(timeoutMs);
  }
  expect(lines).toEqual([expect.objectContaining({ level: "warn", msg: "telemetry is not exported", reason })]);
});

test("a receiver that never answers holds up the stop only for what is left of the grace", async () => {
  await using silent = await startSilentServer();
  const otlp = { endpoint: silent.url, exportTimeoutMs: 30_000 };
  const server = await startServer({ otlp, shutdownGraceMs: 0 });
  await (await overGrpc(server)).listUsers({});
  const startedAtMs = performance.now();
  await server.app.close();
  // An export has half a minute, but the grace is over.
  expect(performance.now() - startedAtMs).toBeLessThan(20_000);
  await until(() => silent.requests > 0);
});

test("without an export, the log has the caller's trace, and nothing else of it", async () => {
  await using server = await startServer();
  const { authorization } = await server.auth();
  const call = (headers: Record<string, string>) =>
    rawRequest(
      "POST",
      `${server.url}/user.v1.UserService/ListUsers`,
      { "content-type": "application/json", authorization, ...headers },
      "{}",
    );
  await call({ ...sampled, tracestate: "vendor=secret", baggage: "key=secret" });
  await call({ traceparent: `00-${traceId}-${spanId}-01"}` });
  const lines = server.log.filter(({ msg }) => msg === "call");
  expect(lines.map((line) => line.traceId)).toEqual([traceId, undefined]);
  expect(JSON.stringify(server.log)).not.toContain("secret");
  expect(JSON.stringify(server.log)).not.toContain(authorization.split(" ")[1]);
});
