/** Every time limit starts with the request's headers. Ending a call does not wait for its body. */

import { Code } from "@connectrpc/connect";
import { encodeEnvelope } from "@connectrpc/connect/protocol";
import {
  connectJson,
  connectStream,
  grpc,
  grpcWeb,
  type HandProtocol,
  openRequest,
} from "@rollcall/testing/open-request";
import { withProbe } from "@rollcall/testing/probe-service";
import { begin, body } from "@rollcall/testing/raw/web-socket";
import { startServer, type TestServer, until } from "@rollcall/testing/start-server";
import { describe, expect, test } from "vitest";
import type { AppOptions } from "../../src/app-options.ts";
import { InvalidTokenError } from "../../src/rpc/auth/token-verifier.ts";

const PROBE = "/probe.v1.ProbeService";
/** The beginning of an envelope, without a complete message. */
const HALF = new Uint8Array([0, 0, 0]);
/** A complete message, without the body's end: `"x"`, and field 1 of a StringValue. */
const wholeJson = Buffer.from('"x"');
const wholeProto = Buffer.from([0x0a, 1, 0x78]);

interface Row {
  readonly name: string;
  readonly httpVersion: "1.1" | "2";
  readonly method: string;
  readonly protocol: HandProtocol;
  /** A complete message, without the body's end. */
  readonly whole: Uint8Array;
}

const rows: Row[] = (["1.1", "2"] as const).flatMap((httpVersion) => {
  const row = (name: string, method: string, protocol: HandProtocol, whole: Uint8Array) => ({
    name: `${name} ${method} over HTTP/${httpVersion}`,
    httpVersion,
    method,
    protocol,
    whole,
  });
  return [
    row("Connect", "Unary", connectJson, wholeJson),
    row("Connect", "ServerStream", connectStream, encodeEnvelope(0, wholeJson)),
    row("Connect", "ClientStream", connectStream, encodeEnvelope(0, wholeJson)),
    row("gRPC-Web", "Unary", grpcWeb, encodeEnvelope(0, wholeProto)),
    row("gRPC-Web", "ServerStream", grpcWeb, encodeEnvelope(0, wholeProto)),
    ...(httpVersion === "2"
      ? [
          row("gRPC", "Unary", grpc, encodeEnvelope(0, wholeProto)),
          row("gRPC", "ServerStream", grpc, encodeEnvelope(0, wholeProto)),
          row("gRPC", "ClientStream", grpc, encodeEnvelope(0, wholeProto)),
        ]
      : []),
  ];
});

/** Starts a server that counts the calls that its gate has let in, and the started handlers. */
async function startCounting(options: Partial<AppOptions> = {}) {
  let admitted = 0;
  let started = 0;
  const principal = { subject: "tester", scopes: new Set(["streams"]), expiresAtMs: Number.POSITIVE_INFINITY };
  const auth: AppOptions["auth"] = async (token) => {
    if (token === "none") throw new InvalidTokenError("none");
    admitted += 1;
    return principal;
  };
  const probe = withProbe({
    unary() {
      started += 1;
      return {};
    },
    async *serverStream() {
      started += 1;
      yield {};
    },
    async clientStream(requests) {
      for await (const _ of requests);
      return {};
    },
    async *bidiStream(requests) {
      for await (const request of requests) yield request;
    },
  });
  const server = await startServer({ ...probe, auth, ...options });
  return { server, started: () => started, admitted: () => admitted };
}

async function open(server: TestServer, { httpVersion, method, protocol }: Row, headers: Record<string, string> = {}) {
  const auth = await server.auth();
  return openRequest(server, httpVersion, `${PROBE}/${method}`, {
    "content-type": protocol.contentType,
    ...auth,
    ...headers,
  });
}

function callLine(server: TestServer) {
  return until(() => server.log.find(({ msg }) => msg === "call"));
}

describe.concurrent.each(rows)("$name, whose body does not end", (row) => {
  test("is answered at its client's deadline, however much of it has come", async () => {
    const { server, started } = await startCounting();
    await using _ = server;
    const answers = [new Uint8Array(), HALF, row.whole].map(async (bytes) => {
      const request = await open(server, row, row.protocol.timeout(200));
      if (bytes.length > 0) request.write(bytes);
      const { code } = await request.answer;
      request.leave("FIN");
      return code;
    });
    expect(await Promise.all(answers)).toEqual(Array(3).fill(Code.DeadlineExceeded));
    const lines = await until(() => {
      const calls = server.log.filter(({ msg }) => msg === "call");
      return calls.length === 3 && calls;
    });
    expect(lines.map(({ code }) => code)).toEqual(Array(3).fill("deadline_exceeded"));
    expect(started()).toBe(0);
    expect(server.log.filter(({ level }) => level === "error")).toEqual([]);
  });

  test("is answered at the server's deadline", async () => {
    const isUnary = row.method === "Unary";
    const { server, started } = await startCounting(isUnary ? { defaultTimeoutMs: 200 } : { maxTimeoutMs: 200 });
    await using _ = server;
    const request = await open(server, row);
    request.write(HALF);
    expect((await request.answer).code).toBe(Code.DeadlineExceeded);
    expect(await callLine(server)).toMatchObject({ code: "deadline_exceeded" });
    expect(started()).toBe(0);
    request.leave("FIN");
  });

  test("is answered when the server stops", async () => {
    const { server, started, admitted } = await startCounting({ shutdownGraceMs: 100 });
    const request = await open(server, row);
    request.write(HALF);
    await until(() => admitted() === 1);
    const closed = server.app.close();
    expect((await request.answer).code).toBe(Code.Unavailable);
    expect(await callLine(server)).toMatchObject({ code: "unavailable" });
    expect(started()).toBe(0);
    request.leave("FIN");
    await closed;
  });

  test("that comes after the deadline starts no handler, and one before it does", async () => {
    const { server, started } = await startCounting();
    await using _ = server;
    const late = await open(server, row, row.protocol.timeout(200));
    await late.answer;
    late.end(row.whole);
    late.leave("FIN");
    expect(started()).toBe(0);
    if (row.method === "ClientStream") return;
    const early = await open(server, row, row.protocol.timeout(30_000));
    early.end(row.whole);
    expect((await early.answer).code).toBe(undefined);
    expect(started()).toBe(1);
  });

  test("is not waited for by a refusal", async () => {
    const { server } = await startCounting();
    await using _ = server;
    const request = await open(server, row, { authorization: "Bearer none" });
    request.write(HALF);
    expect((await request.answer).code).toBe(Code.Unauthenticated);
    request.leave("FIN");
  });
});

describe.concurrent.each(["Unary", "ServerStream", "ClientStream", "BidiStream"])("over a WebSocket, %s", (method) => {
  const path = `${PROBE}/${method}`;

  test("whose body does not end is answered at its client's deadline", async () => {
    const { server, started } = await startCounting();
    await using _ = server;
    const socket = await begin(server, path, "grpc-timeout: 200m\r\n");
    socket.ws.send(body(HALF));
    expect(await socket.closed).toEqual({ code: 1000, status: Code.DeadlineExceeded });
    expect(await callLine(server)).toMatchObject({ code: "deadline_exceeded" });
    expect(started()).toBe(0);
  });

  test("whose body does not end is answered at the server's", async () => {
    const { server } = await startCounting({ defaultTimeoutMs: 200, maxTimeoutMs: 200 });
    await using _ = server;
    const socket = await begin(server, path);
    socket.ws.send(body(HALF));
    expect(await socket.closed).toEqual({ code: 1000, status: Code.DeadlineExceeded });
  });

  test("whose body does not end is answered when the server stops", async () => {
    const { server, admitted } = await startCounting({ shutdownGraceMs: 100 });
    const socket = await begin(server, path);
    socket.ws.send(body(HALF));
    await until(() => admitted() === 1);
    const closed = server.app.close();
    expect(await socket.closed).toEqual({ code: 1000, status: Code.Unavailable });
    await closed;
  });
});
