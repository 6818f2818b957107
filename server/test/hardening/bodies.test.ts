import { once } from "node:events";
import http from "node:http";
import http2 from "node:http2";
import net from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { StreamService } from "@rollcall/gen/stream/v1/stream";
import { UserService } from "@rollcall/gen/user/v1/user";
import { withProbe } from "@rollcall/testing/probe-service";
import { startServer, type TestServer, until } from "@rollcall/testing/start-server";
import { describe, expect, test } from "vitest";

/** A plaintext connection to which the bytes have been written, and what has come back. */
function connectWith(port: number, bytes: string) {
  const socket = net.connect(port, "127.0.0.1");
  const state = { answer: "", ended: false };
  socket.on("data", (chunk) => {
    state.answer += chunk.toString("latin1");
  });
  socket.on("close", () => {
    state.ended = true;
  });
  socket.on("error", () => {});
  socket.write(bytes);
  return Object.assign(state, { socket, [Symbol.dispose]: () => void socket.destroy() });
}

/** The status of a gRPC call, which stands in the trailers, or in the only header block (Trailers-Only). */
function grpcStatusOf(stream: http2.ClientHttp2Stream): Promise<unknown> {
  return new Promise((resolve) => {
    const look = (headers: http2.IncomingHttpHeaders) => {
      if (headers["grpc-status"] !== undefined) resolve(headers["grpc-status"]);
    };
    stream.on("response", look).on("trailers", look);
  });
}

/** What comes back until the server ends the connection. */
async function untilEnd(port: number, bytes: string): Promise<string> {
  using connection = connectWith(port, bytes);
  await until(() => connection.ended);
  return connection.answer;
}

/** The header of the first answer, or what came of it before the server ended the connection. */
async function answerTo(port: number, bytes: string): Promise<string> {
  using connection = connectWith(port, bytes);
  await until(() => connection.ended || connection.answer.includes("\r\n\r\n"));
  return connection.answer;
}

function codeOf(error: unknown): string {
  return Code[ConnectError.from(error).code];
}

const getUserHead = "POST /user.v1.UserService/GetUser HTTP/1.1\r\ncontent-type: application/json\r\n";

describe("the message size", () => {
  const limits = { readMaxBytes: 4_096 };

  async function upload(server: TestServer, chunkBytes: number) {
    const streams = createClient(StreamService, createGrpcTransport({ baseUrl: server.url }));
    const requests = (async function* () {
      yield { chunk: new Uint8Array(chunkBytes) };
    })();
    return streams.clientStream(requests, { headers: await server.auth() });
  }

  test("over the limit is resource_exhausted, below it is not", async () => {
    await using server = await startServer(limits);
    expect((await upload(server, 4_000)).totalBytes).toBe(4_000n);
    expect(await upload(server, 5_000).catch(codeOf)).toBe("ResourceExhausted");
  });

  test("is measured after decompression, too", async () => {
    await using server = await startServer(limits);
    const body = JSON.stringify({ email: "ada@example.com", name: "A".repeat(100_000) });
    const { gzipSync } = await import("node:zlib");
    const compressed = gzipSync(body);
    expect(compressed.length).toBeLessThan(4_096);
    const response = await fetch(`${server.url}/user.v1.UserService/CreateUser`, {
      method: "POST",
      headers: { ...(await server.auth()), "content-type": "application/json", "content-encoding": "gzip" },
      body: compressed,
    });
    expect(await response.json()).toMatchObject({ code: "resource_exhausted" });
  });

  test("that an envelope claims is refused before that much is allocated", async () => {
    await using server = await startServer(limits);
    const client = http2.connect(server.url);
    const before = process.memoryUsage().arrayBuffers;
    const stream = client.request({
      ":method": "POST",
      ":path": "/stream.v1.StreamService/ClientStream",
      "content-type": "application/grpc",
      te: "trailers",
      ...(await server.auth()),
    });
    stream.write(Buffer.from([0, 0x40, 0, 0, 0]));
    stream.resume();
    expect(await grpcStatusOf(stream)).toBe(String(Code.ResourceExhausted));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * 1024 ** 2);
    client.destroy();
  });
});

test("an upload over the total is resource_exhausted; one of just that size is not", async () => {
  await using server = await startServer({ streams: { maxUploadBytes: 100_000 } });
  const streams = createClient(StreamService, createGrpcTransport({ baseUrl: server.url }));
  const headers = await server.auth();
  const upload = (chunks: number) =>
    streams.clientStream(
      (async function* () {
        for (let i = 0; i < chunks; i++) yield { chunk: new Uint8Array(10_000) };
      })(),
      { headers },
    );
  expect((await upload(10)).totalBytes).toBe(100_000n);
  const error = await upload(1_000).catch(ConnectError.from);
  expect(error).toMatchObject({ code: Code.ResourceExhausted, rawMessage: "upload is larger than 100000 bytes" });
});

describe("the header", () => {
  const big = "x".repeat(20_000);

  test("over the limit is refused on HTTP/1.1", async () => {
    await using server = await startServer();
    const get = (padding: string) =>
      answerTo(server.port, `GET /healthz HTTP/1.1\r\nhost: a\r\nx-pad: ${padding}\r\n\r\n`);
    expect(await get("x".repeat(10_000))).toMatch(/^HTTP\/1\.1 200/);
    expect(await get(big)).toMatch(/^HTTP\/1\.1 431/);
  });

  test("over the limit is refused on HTTP/2", async () => {
    await using server = await startServer();
    const statusOf = async (padding: string) => {
      const client = http2.connect(server.url);
      client.on("error", () => {});
      const stream = client.request({ ":path": "/healthz", "x-pad": padding });
      const outcome = await Promise.race([
        once(stream, "response").then(([headers]) => headers[":status"]),
        once(stream, "close").then(() => "closed"),
        once(stream, "error").then(() => "refused"),
      ]).catch(() => "refused");
      client.destroy();
      return outcome;
    };
    expect(await statusOf("x".repeat(10_000))).toBe(200);
    expect(await statusOf(big)).toBe(431);
  });
});

describe("connections", () => {
  test("over the limit are closed, and their places are free again afterwards", async () => {
    await using server = await startServer({ limits: { maxConnections: 2 } });
    const open = async () => {
      const socket = net.connect(server.port, "127.0.0.1");
      await once(socket, "connect");
      return socket;
    };
    const held = [await open(), await open()];
    const request = "GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    expect(await untilEnd(server.port, request)).toBe("");
    expect(await untilEnd(server.port, request)).toBe("");
    // One line for both: the next may come in a minute.
    const lines = server.log.filter(({ msg }) => msg === "connections refused: the server has too many");
    expect(lines).toMatchObject([{ level: "warn", address: "127.0.0.1", count: 1 }]);
    for (const socket of held) socket.destroy();
    let answer = "";
    while (answer === "") answer = await untilEnd(server.port, request);
    expect(answer).toMatch(/^HTTP\/1\.1 200/);
  });

  test("that say nothing are closed", async () => {
    await using patient = await startServer();
    using control = connectWith(patient.port, "");
    await once(control.socket, "connect");
    await using server = await startServer({ limits: { handshakeTimeoutMs: 200 } });
    expect(await untilEnd(server.port, "")).toBe("");
    // It has been silent for longer.
    expect(control.ended).toBe(false);
  });

  test("that begin the HTTP/2 preface and stop are closed", async () => {
    await using server = await startServer({ limits: { handshakeTimeoutMs: 200 } });
    expect(await untilEnd(server.port, "PRI * HTTP/2.0\r\n")).toBe("");
  });

  test("that never end a request's header are closed", async () => {
    await using server = await startServer({ limits: { handshakeTimeoutMs: 200 } });
    const answer = await untilEnd(server.port, "GET /healthz HTTP/1.1\r\nhost: a\r\nx-slow: ");
    expect(answer).toMatch(/^(HTTP\/1\.1 408|$)/);
  });

  test("without a request are closed after the idle time, on both versions", async () => {
    await using server = await startServer({ limits: { idleTimeoutMs: 200 } });
    expect(await untilEnd(server.port, "GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n")).toMatch(/^HTTP\/1\.1 200/);
    const client = http2.connect(server.url);
    await once(client, "close");
    expect(client.destroyed).toBe(true);
  });

  test("of HTTP/2 are closed after the idle time even if they were quiet with a stream before", async () => {
    await using server = await startServer({
      limits: { idleTimeoutMs: 100 },
      streams: { resultCount: 2, resultIntervalMs: 400 },
    });
    const client = http2.connect(server.url);
    const closed = once(client, "close");
    const stream = client.request({
      ":method": "POST",
      ":path": "/stream.v1.StreamService/ServerStream",
      "content-type": "application/connect+json",
      ...(await server.auth()),
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

test("streams over the limit of a connection wait for their turn", async () => {
  const mostAtOnce = async (maxConcurrentStreams: number) => {
    let open = 0;
    let most = 0;
    const counting = withProbe({
      async unary() {
        open += 1;
        most = Math.max(most, open);
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
  expect(await mostAtOnce(2)).toBe(2);
  expect(await mostAtOnce(100)).toBeGreaterThan(2);
});

describe("a body", () => {
  test("that does not come ends the call and then its connection, on HTTP/1.1", async () => {
    const send = async (server: TestServer) => {
      const { authorization } = await server.auth();
      const head = `${getUserHead}host: a\r\nauthorization: ${authorization}\r\ncontent-length: 10\r\n\r\n{`;
      return connectWith(server.port, head);
    };
    await using patient = await startServer();
    using control = await send(patient);
    await once(control.socket, "connect");
    await using server = await startServer({ timeouts: { bodyTimeoutMs: 200 } });
    using cut = await send(server);
    await until(() => cut.ended);
    expect(cut.answer).toMatch(
      /^HTTP\/1\.1 504 .*"code":"deadline_exceeded","message":"the request did not arrive in time"/s,
    );
    // It has waited for longer.
    expect(control.ended).toBe(false);
  });

  test("that does not come ends the call, on HTTP/2", async () => {
    await using server = await startServer({ timeouts: { bodyTimeoutMs: 200, stallTimeoutMs: 400 } });
    const client = http2.connect(server.url);
    const auth = await server.auth();
    const calls = [
      ["/user.v1.UserService/GetUser", "application/json"],
      ["/user.v1.UserService/GetUser", "application/grpc"],
      ["/stream.v1.StreamService/ClientStream", "application/grpc"],
    ].map(async ([path, contentType]) => {
      const headers = { ":method": "POST", ":path": path, "content-type": contentType, ...auth };
      const stream = client.request(headers).resume();
      // An envelope begins with it; JSON is not looked at before it has ended.
      stream.write("\0");
      await once(stream, "close");
      expect(stream.rstCode).toBe(http2.constants.NGHTTP2_NO_ERROR);
    });
    await Promise.all(calls);
    const lines = await until(() => {
      const ended = server.log.filter(({ msg }) => msg === "call");
      return ended.length === 3 && ended;
    });
    expect(lines.map(({ code }) => code)).toEqual(Array(3).fill("deadline_exceeded"));
    client.destroy();
  });

  test("of a GET, which has none, is not waited for", async () => {
    const slow = withProbe({ unary: () => delay(300).then(() => ({ value: "done" })) });
    await using server = await startServer({ ...slow, timeouts: { bodyTimeoutMs: 100 } });
    const path = "/probe.v1.ProbeService/Unary?encoding=json&message=%22%22";
    const response = await fetch(server.url + path, { headers: await server.auth() });
    expect(await response.json()).toBe("done");
    const client = http2.connect(server.url);
    const stream = client.request({ ":path": path, ...(await server.auth()) });
    const [headers] = (await once(stream, "response")) as [http2.IncomingHttpHeaders];
    expect(headers[":status"]).toBe(200);
    client.destroy();
  });

  test.each(["/nothing-here", "/healthz", "/user.v1.UserService/GetUser"])(
    "that does not come is cut off, whoever it is for: %s",
    async (path) => {
      await using server = await startServer({ timeouts: { bodyTimeoutMs: 200 } });
      const ends = ["application/json", "text/plain", "application/xml"].map((contentType) =>
        untilEnd(
          server.port,
          `POST ${path} HTTP/1.1\r\nhost: a\r\ncontent-type: ${contentType}\r\ncontent-length: 10\r\n\r\n{`,
        ),
      );
      await Promise.all(ends);
    },
  );

  test("of a type that no RPC has is refused as such, and told in the log", async () => {
    await using server = await startServer();
    for (const contentType of ["text/plain", "application/xml", "multipart/form-data"]) {
      const response = await fetch(`${server.url}/user.v1.UserService/GetUser`, {
        method: "POST",
        headers: { ...(await server.auth()), "content-type": contentType },
        body: "x",
      });
      expect(response.status).toBe(415);
      expect(response.headers.get("x-request-id")).not.toBe(null);
    }
    expect(server.log.filter(({ msg }) => msg === "call")).toHaveLength(3);
  });

  test("that is refused is not read", async () => {
    await using server = await startServer();
    const client = http2.connect(server.url);
    const stream = client.request({
      ":method": "POST",
      ":path": "/stream.v1.StreamService/ClientStream",
      "content-type": "application/grpc",
    });
    stream.on("error", () => {});
    stream.resume();
    const closed = once(stream, "close");
    expect(await grpcStatusOf(stream)).toBe(String(Code.Unauthenticated));
    await closed;
    client.destroy();
  });
});

test("an HTTP/2 response that nobody reads is cut off, also after a quiet spell", async () => {
  const quietThenLoud = withProbe({
    async *serverStream() {
      yield { value: "first" };
      await delay(400);
      for (;;) yield { value: "x".repeat(100_000) };
    },
  });
  await using server = await startServer({ ...quietThenLoud, timeouts: { stallTimeoutMs: 100 } });
  const client = http2.connect(server.url);
  const stream = client.request({
    ":method": "POST",
    ":path": "/probe.v1.ProbeService/ServerStream",
    "content-type": "application/grpc",
    te: "trailers",
    ...(await server.auth()),
  });
  stream.on("error", () => {});
  stream.end(Buffer.alloc(5));
  await once(stream, "response");
  stream.pause();
  await until(() => server.log.find(({ msg }) => msg === "call"));
  expect(server.log.find(({ msg }) => msg === "call")).toMatchObject({ code: "canceled" });
  // A client that leaves is no fault of the server's.
  expect(server.log.filter(({ level }) => level === "error")).toEqual([]);
  client.destroy();
});

test("a response that nobody reads is cut off", async () => {
  await using server = await startServer({
    timeouts: { stallTimeoutMs: 300 },
    streams: { resultCount: 1_000_000, resultIntervalMs: 0 },
  });
  const request = http.request(`${server.url}/stream.v1.StreamService/ServerStream`, {
    method: "POST",
    headers: { "content-type": "application/connect+json", ...(await server.auth()) },
  });
  request.on("error", () => {});
  const message = Buffer.from(JSON.stringify({ query: "x".repeat(4_000) }));
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  request.end(Buffer.concat([head, message]));
  const [response] = (await once(request, "response")) as [http.IncomingMessage];
  response.pause();
  response.on("error", () => {});
  expect(await until(() => server.log.find(({ msg }) => msg === "call"))).toMatchObject({ code: "canceled" });
  request.destroy();
});

describe("a host that is none", () => {
  test.each(["a b", "a/b", "a@b", "", "[::1", "a:b", "a:123456"])("%j is 400", async (host) => {
    await using server = await startServer();
    const head = `GET /user.v1.UserService/ListUsers?encoding=json&message={} HTTP/1.1\r\nhost: ${host}\r\n\r\n`;
    expect(await answerTo(server.port, head)).toMatch(/^HTTP\/1\.1 400 /);
  });

  test("is missing is 400", async () => {
    await using server = await startServer();
    expect(await answerTo(server.port, "GET /healthz HTTP/1.1\r\n\r\n")).toMatch(/^HTTP\/1\.1 400 /);
  });

  test.each(["localhost", "example.com:8080", "[::1]:8080", "127.0.0.1"])("and %j is not", async (host) => {
    await using server = await startServer();
    const request = `GET /healthz HTTP/1.1\r\nhost: ${host}\r\n\r\n`;
    expect(await answerTo(server.port, request)).toMatch(/^HTTP\/1\.1 200 /);
  });
});

test("brotli costs no more than quality 4 does", async () => {
  await using server = await startServer();
  const users = createClient(UserService, createGrpcTransport({ baseUrl: server.url }));
  const headers = await server.auth();
  for (let i = 0; i < 50; i++)
    await users.createUser({ email: `u${i}@example.com`, name: `User number ${i}` }, { headers });
  const response = await fetch(`${server.url}/user.v1.UserService/ListUsers`, {
    method: "POST",
    headers: { ...headers, "content-type": "application/json", "accept-encoding": "br" },
    body: "{}",
  });
  expect(response.headers.get("content-encoding")).toBe("br");
  const plain = Buffer.from(await response.text());
  const { brotliCompressSync, constants } = await import("node:zlib");
  const sizeAt = (quality: number) =>
    brotliCompressSync(plain, { params: { [constants.BROTLI_PARAM_QUALITY]: quality } }).length;
  expect(response.headers.get("content-length")).toBe(String(sizeAt(4)));
  expect(sizeAt(4)).not.toBe(sizeAt(11));
});
