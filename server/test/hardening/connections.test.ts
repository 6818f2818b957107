import { once } from "node:events";
import http2 from "node:http2";
import net from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { StreamService } from "@rollcall/gen/stream/v1/stream";
import { connections, startServerFor } from "@rollcall/testing/matrix";
import { withProbe } from "@rollcall/testing/probe-service";
import { exchangeToEnd } from "@rollcall/testing/raw/http";
import { startServer, until } from "@rollcall/testing/start-server";
import { describe, expect, test } from "vitest";
import { connectWith } from "./support/connect-with.ts";

describe.concurrent("connections", () => {
  test("over the limit are closed, and their places are free again afterwards", async () => {
    await using server = await startServer({ limits: { maxConnections: 2 } });
    const open = async () => {
      const socket = net.connect(server.port, "127.0.0.1");
      await once(socket, "connect");
      return socket;
    };
    const held = [await open(), await open()];
    const request = "GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    expect(await exchangeToEnd(server.port, request)).toBe("");
    expect(await exchangeToEnd(server.port, request)).toBe("");
    // Both refusals have one line: the next line may come only a minute later.
    const lines = server.log.filter(({ msg }) => msg === "connections refused: the server has too many");
    expect(lines).toMatchObject([{ level: "warn", address: "127.0.0.1", count: 1 }]);
    for (const socket of held) socket.destroy();
    let answer = "";
    while (answer === "") answer = await exchangeToEnd(server.port, request);
    expect(answer).toMatch(/^HTTP\/1\.1 200/);
  });

  test("that say nothing are closed", async () => {
    await using patient = await startServer();
    using control = connectWith(patient.port, "");
    await once(control.socket, "connect");
    await using server = await startServer({ limits: { handshakeTimeoutMs: 200 } });
    expect(await exchangeToEnd(server.port, "")).toBe("");
    // The control has been silent for longer.
    expect(control.ended).toBe(false);
  });

  test("that begin the HTTP/2 preface and stop are closed", async () => {
    await using server = await startServer({ limits: { handshakeTimeoutMs: 200 } });
    expect(await exchangeToEnd(server.port, "PRI * HTTP/2.0\r\n")).toBe("");
  });

  test("that stop within a TLS handshake are closed", async () => {
    await using server = await startServerFor(connections.tlsH2, { limits: { handshakeTimeoutMs: 200 } });
    // This is the beginning of a ClientHello of 256 bytes.
    await exchangeToEnd(server.port, "\u0016\u0003\u0001\u0001\u0000\u0001");
  });

  test("that never end a request's header are closed", async () => {
    await using server = await startServer({ limits: { handshakeTimeoutMs: 200 } });
    const answer = await exchangeToEnd(server.port, "GET /healthz HTTP/1.1\r\nhost: a\r\nx-slow: ");
    expect(answer).toMatch(/^(HTTP\/1\.1 408|$)/);
  });

  test("without a request are closed after the idle time, on both versions", async () => {
    await using server = await startServer({ limits: { idleTimeoutMs: 200 } });
    expect(await exchangeToEnd(server.port, "GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n")).toMatch(/^HTTP\/1\.1 200/);
    const client = http2.connect(server.url);
    await once(client, "close");
    expect(client.destroyed).toBe(true);
  });

  test("of HTTP/2 are closed after the idle time even if they were quiet with a stream before", async () => {
    await using server = await startServer({
      limits: { idleTimeoutMs: 100 },
      streams: { resultCount: 2, resultIntervalMs: 400 },
    });
    const headers = await server.auth();
    const client = http2.connect(server.url);
    const closed = once(client, "close");
    const stream = client.request({
      ":method": "POST",
      ":path": "/stream.v1.StreamService/ServerStream",
      "content-type": "application/connect+json",
      ...headers,
    });
    const query = '{"query":"q"}';
    stream.end(Buffer.concat([Buffer.from([0, 0, 0, 0, query.length]), Buffer.from(query)]));
    stream.resume();
    await once(stream, "close");
    await closed;
  });

  test("with a quiet stream stay open beyond the idle time", async () => {
    await using server = await startServer({
      limits: { idleTimeoutMs: 100 },
      timeouts: { stallTimeoutMs: 100 },
      streams: { resultCount: 2, resultIntervalMs: 1_000 },
    });
    const headers = await server.auth();
    const calls = (["1.1", "2"] as const).map(async (httpVersion) => {
      const streams = createClient(StreamService, createConnectTransport({ baseUrl: server.url, httpVersion }));
      const results = await Array.fromAsync(streams.serverStream({ query: "q" }, { headers }));
      expect(results.map(({ sequence }) => sequence)).toEqual([0, 1]);
    });
    await Promise.all(calls);
  });
});

test.concurrent("streams over the limit of a connection wait for their turn", async () => {
  const mostAtOnce = async (maxConcurrentStreams: number, wanted: number) => {
    let open = 0;
    let most = 0;
    const counting = withProbe({
      async unary() {
        open += 1;
        most = Math.max(most, open);
        // A busy server starts only a few calls at the same time, but the wanted number is reached in the end. No
        // larger number may come within a while.
        await until(() => most >= wanted);
        await delay(50);
        open -= 1;
        return {};
      },
    });
    await using server = await startServer({ ...counting, limits: { maxConcurrentStreams } });
    const client = http2.connect(server.url);
    await once(client, "remoteSettings");
    const headers = { ":method": "POST", ":path": "/probe.v1.ProbeService/Unary", "content-type": "application/proto" };
    const auth = await server.auth();
    const calls = Array.from({ length: 8 }, async () => {
      const stream = client.request({ ...headers, ...auth });
      stream.end();
      const [response] = (await once(stream, "response")) as [http2.IncomingHttpHeaders];
      stream.resume();
      return response[":status"];
    });
    expect(await Promise.all(calls)).toEqual(Array.from({ length: 8 }, () => 200));
    client.destroy();
    return most;
  };
  expect(await mostAtOnce(2, 2)).toBe(2);
  expect(await mostAtOnce(100, 3)).toBeGreaterThan(2);
});
