/** Tests that a client that goes away while it sends or reads causes one line in the log, and nothing else. */
import { constants } from "node:http2";
import net from "node:net";
import { encodeEnvelope } from "@connectrpc/connect/protocol";
import { connectJson, connectStream, grpc, grpcWeb, openRequest } from "@rollcall/testing/open-request";
import { withProbe } from "@rollcall/testing/probe-service";
import {
  END_HEADERS,
  END_STREAM,
  frame,
  HEADERS,
  headerBlock,
  PING,
  PREFACE,
  postTo,
  RST_STREAM,
  SETTINGS,
  uint32,
} from "@rollcall/testing/raw/http2";
import { begin, body } from "@rollcall/testing/raw/web-socket";
import { startProcess } from "@rollcall/testing/start-process";
import { startServer, until } from "@rollcall/testing/start-server";
import { describe, expect, test } from "vitest";
import type { AppOptions } from "../../src/app-options.ts";

const UNARY = "/probe.v1.ProbeService/Unary";
const UPLOAD = "/probe.v1.ProbeService/ClientStream";
/** Every reason that a client may give for a reset (RFC 9113, 7), and an unknown one. */
const resetCodes = [...Array(constants.NGHTTP2_HTTP_1_1_REQUIRED + 1).keys(), 0xbad];
const ways = [
  ...["FIN", "RST"].map((how) => ({ httpVersion: "1.1" as const, how: how as "FIN" | "RST" })),
  ...["FIN", "RST", ...resetCodes].map((how) => ({ httpVersion: "2" as const, how: how as number | "FIN" | "RST" })),
];
const protocols = [
  { name: "Connect", path: UNARY, ...connectJson, sent: '"wh' },
  { name: "a Connect stream", path: UPLOAD, ...connectStream, sent: encodeEnvelope(0, Buffer.from('"whole"')) },
  { name: "gRPC-Web", path: UNARY, ...grpcWeb, sent: new Uint8Array([0, 0, 0]) },
  { name: "gRPC", path: UNARY, ...grpc, sent: encodeEnvelope(0, Buffer.from([0x0a, 1, 0x78])) },
];

/** Starts a server whose gate reports when a call is let in. */
async function startObserved() {
  let admitted = 0;
  let handled = 0;
  const principal = { subject: "tester", scopes: new Set(["streams"]), expiresAtMs: Number.POSITIVE_INFINITY };
  const auth: AppOptions["auth"] = async () => {
    admitted += 1;
    return principal;
  };
  const probe = withProbe({
    unary() {
      handled += 1;
      return {};
    },
    async clientStream(requests) {
      for await (const _ of requests);
      handled += 1;
      return {};
    },
  });
  const server = await startServer({ auth, ...probe });
  return { server, admitted: () => admitted, handled: () => handled };
}

describe.concurrent.each(protocols)("while it sends $name", ({ path, contentType, sent }) => {
  test.each(contentType === grpc.contentType ? ways.filter(({ httpVersion }) => httpVersion === "2") : ways)(
    "over HTTP/$httpVersion, by $how",
    async ({ httpVersion, how }) => {
      const { server, admitted, handled } = await startObserved();
      await using _ = server;
      const request = await openRequest(server, httpVersion, path, {
        "content-type": contentType,
        authorization: "Bearer any",
      });
      request.write(sent);
      await until(() => admitted() === 1);
      request.leave(how);
      expect(await until(() => server.log.find(({ msg }) => msg === "call"))).toMatchObject({ code: "canceled" });
      // After another call has ended, nothing more is logged about the first.
      const next = await openRequest(server, httpVersion, path, {
        "content-type": "text/plain",
        authorization: "Bearer any",
      });
      next.end();
      await next.answer;
      await until(() => server.log.filter(({ msg }) => msg === "call").length === 2);
      expect(server.log.filter(({ level, msg }) => level !== "debug" && msg !== "call")).toEqual(
        server.log.filter(({ msg }) => String(msg).startsWith("listening")),
      );
      expect(handled()).toBe(0);
    },
  );
});

test.concurrent("while it sends over a WebSocket", async () => {
  const { server, admitted, handled } = await startObserved();
  await using _ = server;
  const socket = await begin(server, UNARY);
  socket.ws.send(body(new Uint8Array([0, 0, 0])));
  await until(() => admitted() === 1);
  socket.ws.terminate();
  expect(await until(() => server.log.find(({ msg }) => msg === "call"))).toMatchObject({ code: "canceled" });
  expect(server.log.filter(({ level }) => level === "error")).toEqual([]);
  expect(handled()).toBe(0);
});

test.concurrent.each(["stops reading and goes", "goes while it reads"])(
  "a client that %s leaves JSON alone in the log",
  async (how) => {
    await using server = await startProcess();
    const port = Number(new URL(server.url).port);
    const query = JSON.stringify({ query: "q".repeat(4_000) });
    const head = Buffer.alloc(5);
    head.writeUInt32BE(query.length, 1);
    const open = () => {
      const socket = net.connect(port, "127.0.0.1");
      socket.on("error", () => {});
      socket.write(
        `POST /stream.v1.StreamService/ServerStream HTTP/1.1\r\nhost: a\r\ncontent-type: application/connect+json\r\n` +
          `authorization: ${server.headers.authorization}\r\ncontent-length: ${query.length + 5}\r\n\r\n`,
      );
      socket.write(head);
      socket.write(query);
      return socket;
    };
    const codes = () =>
      server
        .output()
        .split("\n")
        .slice(0, -1)
        .filter((line) => line.includes('"msg":"call"'))
        .map((line) => JSON.parse(line).code);
    /** Returns the number of calls, out of four, that had not ended when their clients went. */
    const leave = async () => {
      const before = codes().length;
      const sockets = Array.from({ length: 4 }, open);
      await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once("data", resolve))));
      for (const socket of sockets) {
        if (how.startsWith("stops")) socket.pause();
        socket.resetAndDestroy();
      }
      await until(() => codes().length === before + sockets.length);
      return codes()
        .slice(before)
        .filter((code) => code === "canceled").length;
    };
    // A call takes a second, so on a busy machine its client may leave too late.
    while ((await leave()) < 4);
    server.process.kill("SIGTERM");
    await server.closed;
    expect(codes().filter((code) => code !== "canceled" && code !== "ok")).toEqual([]);
    expect(server.errorOutput()).toBe("");
    const log = server
      .output()
      .split("\n")
      .filter((line) => line.startsWith("{"));
    for (const line of log) expect(["info"]).toContain(JSON.parse(line).level);
  },
);

describe.concurrent("in the packet that begins its connection", () => {
  const gone = {
    "a reset": [frame(RST_STREAM, 0, 1, uint32(constants.NGHTTP2_CANCEL))],
    "a reset with an error": [frame(RST_STREAM, 0, 1, uint32(constants.NGHTTP2_INTERNAL_ERROR))],
    "a frame of a wrong size": [frame(PING, 0, 0, Buffer.alloc(3))],
  };
  const requests = {
    "a call": postTo(UNARY),
    "a call that awaits 100": postTo(UNARY, { expect: "100-continue" }),
    "a probe that awaits 100": { ...postTo("/healthz", { expect: "100-continue" }), ":method": "GET" },
    "a request that expects what nobody knows": postTo("/nowhere", { expect: "more" }),
  };
  const pairs = Object.keys(requests).flatMap((request) => Object.keys(gone).map((way) => [request, way] as const));
  test.each(pairs)("%s and %s leave the server alive", async (request, way) => {
    await using server = await startServer(withProbe({}));
    for (const flags of [END_HEADERS, END_HEADERS | END_STREAM]) {
      const socket = net.connect(server.port, "127.0.0.1");
      socket.on("error", () => {});
      const begun = frame(HEADERS, flags, 1, headerBlock(requests[request as keyof typeof requests]));
      socket.write(Buffer.concat([PREFACE, frame(SETTINGS, 0, 0), begun, ...gone[way as keyof typeof gone]]));
      await new Promise((resolve) => socket.once("data", resolve).once("close", resolve));
      socket.destroy();
    }
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
    expect(server.log.filter(({ level }) => level === "error")).toEqual([]);
  });
});
