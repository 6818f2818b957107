import { networkInterfaces } from "node:os";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { StreamService } from "@rollcall/gen/stream/v1/stream";
import { UserService } from "@rollcall/gen/user/v1/user";
import { tableBelow } from "@rollcall/testing/docs-table";
import { connections, createCellTransport, protocolCells, protocols } from "@rollcall/testing/matrix";
import { withProbe } from "@rollcall/testing/probe-service";
import { rawRequest } from "@rollcall/testing/raw/http";
import { startServer } from "@rollcall/testing/start-server";
import { describe, expect, test } from "vitest";
import { connectAlone, timeoutsFor } from "../../src/repository/postgres/connection.ts";
import { startFullServer, UNARY } from "../hardening/support/full-server.ts";
import { withPool } from "./support/pool.ts";
import { readMetrics } from "./support/read-metrics.ts";

const CALLS = "rollcall_calls_total";
const DURATION = "rpc_server_call_duration_seconds";

test.each(protocolCells)("counts the calls of $protocol by method, protocol and code", async (cell) => {
  await using server = await startServer();
  const transport = await createCellTransport(server, cell);
  const users = createClient(UserService, transport);
  const streams = createClient(StreamService, transport);
  await users.createUser({ email: "ada@example.com", name: "Ada" });
  for (const id of ["1", "2"]) await expect(users.getUser({ id })).rejects.toMatchObject({ code: Code.NotFound });
  for await (const _ of streams.serverStream({ query: "x" }));

  const metrics = await readMetrics(server.url);
  const { logName: protocol } = cell;
  const calls = (method: string, code: string) => metrics.value(CALLS, { rpc_method: method, protocol, code });
  expect(calls("user.v1.UserService/CreateUser", "ok")).toBe(1);
  expect(calls("user.v1.UserService/GetUser", "not_found")).toBe(2);
  expect(calls("stream.v1.StreamService/ServerStream", "ok")).toBe(1);

  const isConnect = protocol === "connect";
  const labels = {
    rpc_system_name: isConnect ? "connectrpc" : "grpc",
    rpc_method: "user.v1.UserService/GetUser",
    rpc_status_code: isConnect ? "not_found" : "NOT_FOUND",
  };
  const found = metrics.find(`${DURATION}_count`, { rpc_method: labels.rpc_method });
  expect(found).toEqual([{ name: `${DURATION}_count`, labels, value: 2 }]);
  const ranges = metrics.find(`${DURATION}_bucket`, labels);
  expect(ranges.map(({ value }) => value)).toEqual(ranges.map(({ value }) => value).toSorted((a, b) => a - b));
  expect(ranges.at(-1)).toMatchObject({ labels: { le: "+Inf" }, value: 2 });
  expect(metrics.value(`${DURATION}_sum`, labels)).toBeGreaterThan(0);
});

test("a fault of the server has an error type, one of its caller has none", async () => {
  await using server = await startServer(
    withProbe({
      unary({ value }) {
        throw value === "fault" ? new TypeError("a bug") : new ConnectError("no", Code.FailedPrecondition);
      },
    }),
  );
  const { authorization } = await server.auth();
  for (const body of ['"fault"', '"caller"']) {
    const headers = { "content-type": "application/json", authorization };
    await fetch(server.url + UNARY, { method: "POST", headers, body });
  }
  const metrics = await readMetrics(server.url);
  const durations = metrics.find(`${DURATION}_count`, { rpc_method: UNARY.slice(1) });
  expect(durations.map(({ labels }) => [labels.rpc_status_code, labels.error_type]).sort()).toEqual([
    ["failed_precondition", undefined],
    ["internal", "internal"],
  ]);
});

test("calls of unknown methods share one series, whatever they are called", async () => {
  await using server = await startServer();
  const grpc = createGrpcTransport({ baseUrl: server.url });
  for (const name of ["A", "B"]) {
    const method = { ...UserService.method.getUser, parent: { ...UserService, typeName: `no.v1.${name}` } };
    const call = grpc.unary(method as typeof UserService.method.getUser, undefined, 60_000, undefined, {});
    await expect(call).rejects.toMatchObject({ code: Code.Unimplemented });
    const headers = { "content-type": "application/json" };
    await fetch(`${server.url}/no.v1.${name}/Get`, { method: "POST", headers, body: "{}" });
  }
  // A request for a page that does not exist is not a call.
  await fetch(`${server.url}/favicon.svg`);

  const metrics = await readMetrics(server.url);
  expect(metrics.find(CALLS).map(({ labels, value }) => ({ ...labels, value }))).toEqual(
    ["grpc", "connect"].map((protocol) => ({
      rpc_method: "_OTHER",
      protocol,
      code: "unimplemented",
      value: 2,
    })),
  );
  expect(metrics.value("rollcall_refusals_total", { reason: "request" })).toBe(5);
});

test("open calls, streams and connections are counted, and what is refused for lack of a place", async () => {
  await using full = await startFullServer(2);
  const { url } = full.server;
  const call = (contentType: string) =>
    fetch(url + UNARY, { method: "POST", headers: { "content-type": contentType }, body: '"x"' });
  expect((await call("application/json")).status).toBe(503);
  expect((await call("application/json")).status).toBe(503);
  await expect(new Promise((_, reject) => new WebSocket(url).addEventListener("error", reject))).rejects.toBeDefined();

  const metrics = await readMetrics(url);
  const open = (kind: string) => metrics.value("rollcall_calls_open", { kind });
  expect([open("unary"), open("stream")]).toEqual([2, 1]);
  expect(metrics.value("rollcall_connections_open", { protocol: "http/2" })).toBe(3);
  expect(metrics.value("rollcall_connections_open", { protocol: "http/1.1" })).toBeGreaterThanOrEqual(1);
  const refused = (reason: string) => metrics.value("rollcall_refusals_total", { reason });
  expect([refused("overloaded"), refused("websocket"), refused("abuse")]).toEqual([2, 1, 0]);
});

test("open WebSockets are no HTTP/1.1 connections", async () => {
  await using server = await startServer();
  const socket = new WebSocket(`${server.url}/stream.v1.StreamService/BidirectionalStream`, "grpc-websockets");
  await new Promise((resolve) => socket.addEventListener("open", resolve));
  const metrics = await readMetrics(server.url);
  const open = (protocol: string) => metrics.value("rollcall_connections_open", { protocol });
  expect([open("websocket"), open("http/1.1")]).toEqual([1, 1]);
  socket.close();
});

test("the writes of each transaction are counted, those that came together as one", async () => {
  await using server = await startServer();
  const transport = await createCellTransport(server, { ...protocols.grpc, ...connections.h2c });
  const users = createClient(UserService, transport);
  await Promise.all([1, 2, 3].map((n) => users.createUser({ email: `${n}@example.com`, name: "Ada" })));
  const metrics = await readMetrics(server.url);
  expect(metrics.value("rollcall_commit_writes_sum")).toBe(3);
  expect(metrics.value("rollcall_commit_writes_count")).toBeLessThanOrEqual(3);
});

test("connections to PostgreSQL are counted: in use, idle, and who waits for one", async () => {
  const { address, repository } = await withPool(1);
  await using server = await startServer({ repository });
  const users = createClient(UserService, await createCellTransport(server, { ...protocols.grpc, ...connections.h2c }));
  const pool = async () => {
    const metrics = await readMetrics(server.url);
    const count = (state: string) => metrics.value("db_client_connection_count", { db_client_connection_state: state });
    const [waiting, max] = ["pending_requests", "max"].map((name) => metrics.value(`db_client_connection_${name}`));
    return { used: count("used"), idle: count("idle"), waiting, max };
  };
  const other = await connectAlone(address, timeoutsFor(60_000));
  await other.query("BEGIN; LOCK TABLE users");
  const reads = [users.listUsers({}), users.listUsers({}), users.listUsers({})];
  // The server's own read of the log of changes may wait too.
  await expect.poll(async () => (await pool()).waiting).toBeGreaterThanOrEqual(2);
  expect(await pool()).toMatchObject({ used: 1, idle: 0, max: 1 });
  await other.query("COMMIT");
  await other.end();
  await Promise.all(reads);
  await expect.poll(pool).toEqual({ used: 0, idle: 1, waiting: 0, max: 1 });
});

describe("who may read", () => {
  test.each([
    ["loopback", 200, 404],
    ["all", 200, 200],
    ["off", 404, 404],
  ] as const)("metrics: %s", async (metrics, direct, byProxy) => {
    await using server = await startServer({ metrics });
    const statusOf = async (headers: Record<string, string>) =>
      (await rawRequest("GET", `http://127.0.0.1:${server.port}/metrics`, headers)).status;
    for (const host of ["localhost", `127.0.0.1:${server.port}`, "[::1]:80"]) {
      expect(await statusOf({ host })).toBe(direct);
    }
    // These requests have the host name of a browser, or a header that a proxy adds.
    for (const header of [{ host: "rollcall.example" }, { "x-forwarded-for": "192.0.2.1" }, { via: "1.1 p" }]) {
      expect(await statusOf(header)).toBe(byProxy);
    }
  });

  test("from another address of this machine's network, metrics for the loopback are not there", async (context) => {
    const address = Object.values(networkInterfaces())
      .flat()
      .find((each) => each && !each.internal && each.family === "IPv4")?.address;
    if (!address) return context.skip("this machine has no address but loopback ones");
    await using server = await startServer({ host: "0.0.0.0" });
    expect((await rawRequest("GET", `http://${address}:${server.port}/metrics`, { host: "localhost" })).status).toBe(
      404,
    );
    expect((await fetch(`http://127.0.0.1:${server.port}/metrics`)).status).toBe(200);
  });
});

test("the documented table has each metric of a real answer, with its type and labels", async () => {
  await using server = await startServer(await withPool());
  const transport = await createCellTransport(server, { ...protocols.connectJson, ...connections.h2c });
  await createClient(UserService, transport).createUser({ email: "ada@example.com", name: "Ada" });
  // A fault of the server has one more label.
  await fetch(`${server.url}/no.v1.Such/Method`, { method: "POST", headers: { "content-type": "application/json" } });

  const metrics = await readMetrics(server.url);
  const actual = [...metrics.types].map(([name, type]) => {
    const samples = metrics.find(type === "histogram" ? `${name}_count` : name);
    const labels = new Set(samples.flatMap((sample) => Object.keys(sample.labels)));
    return [name, type, [...labels].sort().join(", ")];
  });
  const documented = tableBelow("operations.md", "Metrics").map(([name = "", type = "", labels = ""]) => {
    const names = labels.replaceAll("`", "").split(", ");
    return [name.replaceAll("`", ""), type, names.sort().join(", ")];
  });
  expect(documented).toEqual(actual);
});
