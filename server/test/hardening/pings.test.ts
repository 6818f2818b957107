import { once } from "node:events";
import http2 from "node:http2";
import { setTimeout as delay } from "node:timers/promises";
import { Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { GrpcJsClient } from "@rollcall/testing/grpc-js";
import { ProbeService, withProbe } from "@rollcall/testing/probe-service";
import { startServer, type TestServer, until } from "@rollcall/testing/start-server";
import { describe, expect, test } from "vitest";
import { readMetrics } from "../telemetry/support/read-metrics.ts";

const ENHANCE_YOUR_CALM = http2.constants.NGHTTP2_ENHANCE_YOUR_CALM;
const cuts = (server: TestServer) =>
  server.log.filter(({ msg, reason }) => msg === "connections ended: abuse" && reason === "too many pings").length;

/** Sends a ping after each answer, until the connection closes or all pings have been answered. */
async function flood(url: string, pings: number, between = async (_client: http2.ClientHttp2Session) => {}) {
  const client = http2.connect(url);
  client.on("error", () => {});
  let goaway: { code: number; reason: string } | undefined;
  client.on("goaway", (code, _last, data) => {
    goaway ??= { code, reason: String(data ?? "") };
  });
  const closed = new Promise<void>((resolve) => client.once("close", resolve));
  await once(client, "remoteSettings");
  let answered = 0;
  while (answered < pings && !client.destroyed) {
    const isAnswered = await new Promise((resolve) => {
      closed.then(() => resolve(false));
      if (client.destroyed || !client.ping((error: Error | null) => resolve(error === null))) resolve(false);
    });
    if (!isAnswered) break;
    answered += 1;
    await between(client);
  }
  if (answered < pings) await closed;
  client.destroy();
  return { answered, goaway };
}

describe("PINGs on a quiet connection", () => {
  test("end it when they come too often, with the words that gRPC clients know", async () => {
    await using server = await startServer();
    const { answered, goaway } = await flood(server.url, 50);
    expect(answered).toBeLessThan(6);
    expect(goaway).toEqual({ code: ENHANCE_YOUR_CALM, reason: "too_many_pings" });
    expect(cuts(server)).toBe(1);
    expect((await readMetrics(server.url)).value("rollcall_refusals_total", { reason: "abuse" })).toBe(1);
  });

  test("do not when they keep the interval", async () => {
    await using server = await startServer({ limits: { minPingIntervalMs: 1 } });
    const { answered } = await flood(server.url, 50, () => delay(3));
    expect(answered).toBe(50);
  });

  test("do not when calls are made in between, however many there are", async () => {
    await using server = await startServer();
    const { answered } = await flood(server.url, 50, async (client) => {
      const stream = client.request({ ":path": "/healthz" });
      stream.resume().end();
      await once(stream, "close");
    });
    expect(answered).toBe(50);
  });

  test("do not while messages of a stream come in between", async () => {
    await using server = await startServer({ streams: { resultCount: 1e6, resultIntervalMs: 1 } });
    const headers = await server.auth();
    let received = 0;
    let seen = 0;
    let stream: http2.ClientHttp2Stream | undefined;
    const { answered } = await flood(server.url, 20, async (client) => {
      if (!stream) {
        const path = "/stream.v1.StreamService/ServerStream";
        stream = client.request({
          ":method": "POST",
          ":path": path,
          "content-type": "application/connect+json",
          ...headers,
        });
        stream.on("data", () => (received += 1)).end(Buffer.from('\0\0\0\0\x0d{"query":"q"}'));
      }
      await until(() => received > seen);
      seen = received;
    });
    expect(answered).toBe(20);
    expect(cuts(server)).toBe(0);
  });
});

test("grpc-js, which keeps alive too often, is sent away and comes back with less", async () => {
  await using server = await startServer(withProbe({ unary: () => ({}) }));
  const metadata = new Metadata();
  metadata.set("authorization", (await server.auth()).authorization);
  const options = { "grpc.keepalive_time_ms": 20, "grpc.keepalive_permit_without_calls": 1 };
  using client = new GrpcJsClient(server.port, metadata, undefined, options);
  await callUntilServed(client);
  await until(() => cuts(server) > 0);
  await callUntilServed(client);
});

/**
 * Repeats a call whose connection was ended. The client may not have noticed the end yet, or may have sent another
 * ping.
 */
async function callUntilServed(client: GrpcJsClient): Promise<void> {
  for (;;) {
    try {
      await client.unary(ProbeService.method.unary, {});
      return;
    } catch (error) {
      if ((error as ServiceError).code !== status.UNAVAILABLE) throw error;
    }
  }
}
