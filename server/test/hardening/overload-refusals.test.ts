import { once } from "node:events";
import { Agent } from "node:http";
import net from "node:net";
import { fromBinary } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { Metadata, type ServiceError } from "@grpc/grpc-js";
import { createFetchTransport } from "@rollcall/client";
import { RetryInfoSchema } from "@rollcall/gen/google/rpc/error_details";
import { connectErrorOf, GrpcJsClient } from "@rollcall/testing/grpc-js";
import { ProbeService } from "@rollcall/testing/probe-service";
import { rawRequest } from "@rollcall/testing/raw/http";
import { until } from "@rollcall/testing/start-server";
import { describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { refused, startFullServer, UNARY } from "./support/full-server.ts";

describe("a server that is full refuses", () => {
  const transports = {
    "gRPC over h2c": (baseUrl: string) => createGrpcTransport({ baseUrl }),
    "gRPC-Web over HTTP/2": (baseUrl: string) => createGrpcWebTransport({ baseUrl, httpVersion: "2" }),
    "gRPC-Web over HTTP/1.1": (baseUrl: string) => createGrpcWebTransport({ baseUrl, httpVersion: "1.1" }),
    "Connect over HTTP/2": (baseUrl: string) => createConnectTransport({ baseUrl, httpVersion: "2" }),
    "Connect over HTTP/1.1": (baseUrl: string) => createConnectTransport({ baseUrl, httpVersion: "1.1" }),
    "Connect by GET": (baseUrl: string) => createConnectTransport({ baseUrl, httpVersion: "1.1", useHttpGet: true }),
  };
  test.each(Object.entries(transports))("calls and streams, by %s", async (_name, createTransport) => {
    await using full = await startFullServer();
    const client = createClient(ProbeService, createTransport(full.server.url));
    // The calls are refused before their tokens are read.
    const calls = [
      client.unary({ value: "x" }),
      Array.fromAsync(client.serverStream({ value: "x" })),
      client.clientStream(
        (async function* () {
          yield { value: "x" };
        })(),
      ),
    ].map((call) => call.then(() => undefined, ConnectError.from));
    for (const call of calls) {
      const error = await call;
      expect(error).toMatchObject(refused);
      expect(error?.findDetails(RetryInfoSchema)).toMatchObject([{ retryDelay: { seconds: 1n } }]);
    }
    expect(full.server.log.filter(({ msg }) => msg === "call" || msg === "token not accepted")).toEqual([]);
  });

  test("calls and streams, by grpc-js, and says when to come back", async () => {
    await using full = await startFullServer();
    using client = new GrpcJsClient(full.server.port, new Metadata(), undefined, { "grpc.enable_retries": 0 });
    const error = await client.unary(ProbeService.method.unary, { value: "x" }).catch((e: ServiceError) => e);
    expect(error).toMatchObject({ code: Code.Unavailable, details: "server is overloaded" });
    expect((error as ServiceError).metadata.get("grpc-retry-pushback-ms")).toEqual(["1000"]);
    expect(connectErrorOf(error as ServiceError)?.findDetails(RetryInfoSchema)).toHaveLength(1);
    const stream = client.serverStream(ProbeService.method.serverStream, { value: "x" });
    stream.on("data", () => {});
    const [streamError] = await once(stream, "error");
    expect(streamError).toMatchObject({ code: Code.Unavailable });
  });

  test("calls by WebSocket", async () => {
    await using full = await startFullServer();
    const transport = createFetchTransport({
      baseUrl: full.server.url,
      webSocket: WebSocket as unknown as typeof globalThis.WebSocket,
    } as Parameters<typeof createFetchTransport>[0]);
    const client = createClient(ProbeService, transport);
    const headers = await full.server.auth();
    const messages = (async function* () {
      yield { value: "x" };
    })();
    const error = await client.clientStream(messages, { headers }).catch(ConnectError.from);
    expect(error).toMatchObject(refused);
  });

  test("plain JSON with what HTTP has for it, and keeps the connection", async () => {
    await using full = await startFullServer();
    const headers = { "content-type": "application/json", "x-request-id": "mine", origin: "https://page.example" };
    const agent = new Agent({ keepAlive: true });
    const answer = await rawRequest("POST", full.server.url + UNARY, headers, '"x"', agent);
    expect(answer.status).toBe(503);
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      "retry-after": "1",
      "x-request-id": "mine",
      "access-control-allow-origin": "https://page.example",
    });
    expect(answer.headers.get("connection")).toBe("keep-alive");
    agent.destroy();
    expect(JSON.parse(answer.body.toString())).toMatchObject({
      code: "unavailable",
      message: "server is overloaded",
      details: [{ type: "google.rpc.RetryInfo" }],
    });
    const [detail] = JSON.parse(answer.body.toString()).details;
    expect(fromBinary(RetryInfoSchema, Buffer.from(detail.value, "base64")).retryDelay?.seconds).toBe(1n);
  });

  test.each([
    ["in other spellings", (url: string) => `${url.replace("Unary", "%55nary")}`],
    ["with a query", (url: string) => `${url}?x=1`],
    ["with a fragment", (url: string) => `${url}#x`],
    ["as a whole URL", (url: string) => `http://a${url}`],
  ])("a path %s", async (_name, spell) => {
    await using full = await startFullServer();
    const socket = net.connect(full.server.port, "127.0.0.1");
    socket.write(
      `POST ${spell(UNARY)} HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-type: application/json\r\n` +
        'content-length: 3\r\n\r\n"x"',
    );
    let text = "";
    for await (const chunk of socket) text += chunk;
    expect(text).toMatch(/^HTTP\/1\.1 503/);
  });

  test("nothing that is no call, and everything again once there is room", async () => {
    await using full = await startFullServer();
    const { server } = full;
    for (const path of ["/healthz", "/readyz"]) expect((await fetch(server.url + path)).status).toBe(200);
    const preflight = await fetch(server.url + UNARY, {
      method: "OPTIONS",
      headers: { origin: "https://page.example", "access-control-request-method": "POST" },
    });
    expect(preflight.status).toBe(204);
    const client = createClient(ProbeService, createGrpcTransport({ baseUrl: server.url }));
    const headers = await server.auth();
    await expect(client.unary({ value: "x" }, { headers })).rejects.toMatchObject(refused);
    full.release();
    await until(() => server.log.filter(({ msg }) => msg === "call").length === 3);
    expect((await client.unary({ value: "x" }, { headers })).value).toBe("x");
  });

  test("with one line in the log for all of a second", async () => {
    await using full = await startFullServer();
    const { server } = full;
    const headers = { "content-type": "application/json" };
    await Promise.all(Array.from({ length: 20 }, () => rawRequest("POST", server.url + UNARY, headers, '"x"')));
    const lines = await until(() => {
      const found = server.log.filter(({ msg }) => msg === "calls refused");
      return found.reduce((sum, { overloaded }) => sum + Number(overloaded), 0) === 20 && found;
    });
    expect(lines.length).toBeLessThan(20);
    expect(lines[0]).toMatchObject({ level: "warn", calls: 2, streams: 1 });
  });
});
