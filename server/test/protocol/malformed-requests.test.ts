/** Requests that no server could serve are answered in the contract's form, over both versions of HTTP. */
import { once } from "node:events";
import http2 from "node:http2";
import net from "node:net";
import { buffer } from "node:stream/consumers";
import { exchangeToEnd } from "@rollcall/testing/raw/http";
import { DATA, END_STREAM, frame, HEADERS, postTo, RawHttp2, RST_STREAM } from "@rollcall/testing/raw/http2";
import { UPLOAD } from "@rollcall/testing/raw/web-socket";
import { startServer, type TestServer, until } from "@rollcall/testing/start-server";
import { describe, expect, test } from "vitest";

/** Parses an answer, which must be JSON in the contract's form, with the request's id. */
function parse(answer: string) {
  const [head = "", body = ""] = answer.split("\r\n\r\n", 2);
  expect(head).toMatch(/^content-type: application\/json$/im);
  expect(head).toMatch(/^x-content-type-options: nosniff$/im);
  const requestId = /^x-request-id: (\S+)$/im.exec(head)?.[1];
  return { status: Number(head.split(" ", 2)[1]), json: JSON.parse(body), requestId };
}

function refusal(server: TestServer) {
  return until(() => server.log.find(({ msg }) => msg === "request refused"));
}

describe.concurrent("over HTTP/1.1", () => {
  test.each([
    ["no HTTP at all", "hello\r\n\r\n", 400, "invalid_argument"],
    ["a header without a name", "GET / HTTP/1.1\r\nhost: a\r\n: b\r\n\r\n", 400, "invalid_argument"],
    [
      "two lengths",
      "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
      400,
      "invalid_argument",
    ],
    ["an unknown method", "FOO / HTTP/1.1\r\nhost: a\r\n\r\n", 400, "invalid_argument"],
    [
      "a header over the limit",
      `GET / HTTP/1.1\r\nhost: a\r\nx-pad: ${"x".repeat(20_000)}\r\n\r\n`,
      431,
      "resource_exhausted",
    ],
    [
      "a broken chunk",
      "POST /user.v1.UserService/GetUser HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n" +
        "authorization: TOKEN\r\ntransfer-encoding: chunked\r\n\r\nZZ\r\n",
      400,
      "invalid_argument",
    ],
  ])("%s is refused in the contract's form, with a line in the log", async (_name, bytes, status, code) => {
    await using server = await startServer();
    const { authorization } = await server.auth();
    const answer = await exchangeToEnd(server.port, bytes.replace("TOKEN", authorization));
    const parsed = parse(answer);
    expect(parsed).toMatchObject({ status, json: { code, message: expect.any(String) } });
    expect(await refusal(server)).toMatchObject({
      level: "info",
      status,
      requestId: parsed.requestId,
      peer: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
    });
    expect(server.log.filter(({ level }) => level === "error")).toEqual([]);
  });

  test("a header that does not end is 408", async () => {
    let answer = "";
    // A busy machine may read the start of the header too late. Then the connection is closed without an answer.
    for (let handshakeTimeoutMs = 200; answer === "" && handshakeTimeoutMs < 60_000; handshakeTimeoutMs *= 4) {
      await using server = await startServer({ limits: { handshakeTimeoutMs } });
      answer = await exchangeToEnd(server.port, "GET / HTTP/1.1\r\nhost: a\r\nx: ");
    }
    expect(parse(answer)).toMatchObject({ status: 408, json: { code: "deadline_exceeded" } });
  });

  test("what is broken behind a call under way is not answered: it would be taken for the call's answer", async () => {
    await using server = await startServer({ streams: { resultIntervalMs: 100, resultCount: 1_000 } });
    const { authorization } = await server.auth();
    const query = '{"query":"q"}';
    const call =
      `POST /stream.v1.StreamService/ServerStream HTTP/1.1\r\nhost: a\r\nauthorization: ${authorization}\r\n` +
      `content-type: application/connect+json\r\ncontent-length: ${query.length + 5}\r\n\r\n` +
      `\0\0\0\0${String.fromCharCode(query.length)}${query}`;
    const answer = await exchangeToEnd(server.port, `${call}nonsense\r\n\r\n`);
    expect(answer).not.toContain("400 Bad Request");
  });
});

describe.concurrent("behind an answer that did not wait for its request's body", () => {
  const refused = (body: string) =>
    `POST /user.v1.UserService/GetUser HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n${body}`;

  test.each([
    ["a body that ends early", refused("content-length: 20\r\n\r\n{"), ""],
    ["a broken chunk", refused("transfer-encoding: chunked\r\n\r\n1\r\n{\r\n"), "ZZ\r\n"],
  ])("%s is neither answered again nor another line in the log", async (_name, request, rest) => {
    await using server = await startServer();
    const socket = net.connect({ port: server.port, host: "127.0.0.1", allowHalfOpen: true });
    socket.on("error", () => {});
    let answers = "";
    socket.on("data", (chunk) => {
      answers += chunk.toString("latin1");
    });
    socket.write(request);
    await until(() => answers.includes("missing authorization token"));
    const ended = once(socket, "close");
    socket.end(rest);
    await ended;
    expect(answers.match(/HTTP\/1\.1 \d+/g)).toEqual(["HTTP/1.1 401"]);
    // The control: a malformed request before any answer has a log line, and the call has one too.
    await exchangeToEnd(server.port, "hello\r\n\r\n");
    await refusal(server);
    expect(server.log.filter(({ msg }) => msg === "call")).toHaveLength(1);
    expect(server.log.filter(({ msg }) => msg === "request refused")).toHaveLength(1);
  });
});

describe.concurrent("what Node.js would refuse with an empty answer", () => {
  const call = { ":method": "POST", ":path": "/user.v1.UserService/GetUser", "content-type": "application/json" };

  test("an expectation that nobody knows is ignored", async () => {
    await using server = await startServer();
    const answer = await exchangeToEnd(
      server.port,
      `POST ${call[":path"]} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\nexpect: tea\r\n` +
        "content-length: 2\r\nconnection: close\r\n\r\n{}",
    );
    expect(parse(answer)).toMatchObject({ status: 401, json: { code: "unauthenticated" } });
    const session = http2.connect(server.url);
    const stream = session.request({ ...call, expect: "tea" }).end("{}");
    const [fields] = await once(stream, "response");
    expect(fields).toMatchObject({ ":status": 401, "x-request-id": expect.any(String) });
    expect(JSON.parse(String(await buffer(stream)))).toMatchObject({ code: "unauthenticated" });
    session.destroy();
  });

  test("a tunnel over HTTP/2 is 501", async () => {
    await using server = await startServer();
    const session = http2.connect(server.url);
    const stream = session.request({ ":method": "CONNECT", ":authority": "a:1" });
    const [fields] = await once(stream, "response");
    expect(fields).toMatchObject({ ":status": 501, "x-request-id": expect.any(String) });
    expect(JSON.parse(String(await buffer(stream)))).toEqual({ code: "unimplemented", message: "no such HTTP method" });
    expect(await refusal(server)).toMatchObject({ status: 501 });
    session.destroy();
  });
});

describe.concurrent("a content-length over HTTP/2 that is not the body's", () => {
  async function post(client: RawHttp2, headers: Record<string, string>, contentLength: number) {
    const fields = { "content-type": "application/json", "content-length": String(contentLength), ...headers };
    const id = client.request(postTo("/user.v1.UserService/ListUsers", fields));
    client.send(frame(DATA, END_STREAM, id, Buffer.from("{}")));
    const answer = await client.next(({ type, streamId }) => streamId === id && [HEADERS, RST_STREAM].includes(type));
    return answer?.type;
  }

  // This is a property of Node.js that docs/operations.md describes. If this test fails, Node.js has changed, and the
  // page has to be updated.
  test("that is less ends the connection, with all of its calls", async () => {
    await using server = await startServer();
    const headers = await server.auth();
    const client = await RawHttp2.open(server.port);
    const upload = client.request(postTo(UPLOAD, { ...headers, "content-type": "application/connect+json" }));
    expect(await post(client, headers, 2)).toBe(HEADERS);
    expect(await post(client, headers, 1)).toBe(undefined);
    expect(client.goawayCode).toBe(http2.constants.NGHTTP2_INTERNAL_ERROR);
    expect(client.received.filter(({ streamId }) => streamId === upload)).toEqual([]);
  });

  test("that is more ends its own call alone", async () => {
    await using server = await startServer();
    const headers = await server.auth();
    const client = await RawHttp2.open(server.port);
    expect(await post(client, headers, 3)).toBe(RST_STREAM);
    expect(await post(client, headers, 2)).toBe(HEADERS);
    client.destroy();
  });
});

describe.concurrent("one limit of headers for both versions", () => {
  const fields = (count: number, bytes: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => [`x-${i}`, "v".repeat(bytes)]));

  async function http1(server: TestServer, headers: Record<string, string>) {
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    const lineBlock = lines.join("");
    const answer = await exchangeToEnd(
      server.port,
      `GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n${lineBlock}\r\n`,
    );
    return { status: Number(answer.split(" ", 2)[1]), json: JSON.parse(answer.split("\r\n\r\n", 2)[1] ?? "") };
  }

  async function overHttp2(server: TestServer, headers: Record<string, string>) {
    // Otherwise the client would respect the limit that the server announces.
    const session = http2.connect(server.url, { maxHeaderListPairs: 10_000 } as http2.ClientSessionOptions);
    session.on("error", () => {});
    const stream = session.request({ ":path": "/healthz", ...headers });
    const [fields] = await once(stream, "response");
    const json = JSON.parse(String(await buffer(stream)));
    expect(fields["x-request-id"]).toBeDefined();
    session.destroy();
    return { status: fields[":status"] as number, json };
  }

  test.each([
    ["130 small fields: served", fields(130, 10), 200],
    ["300 small fields: served", fields(300, 10), 200],
    ["a field of 15 kB: served", fields(1, 15_000), 200],
    ["500 fields: 431", fields(500, 10), 431],
    ["1,500 fields: 431", fields(1_500, 1), 431],
    ["a field of 17 kB: 431", fields(1, 17_000), 431],
  ])("%s", async (_name, headers, status) => {
    await using server = await startServer();
    for (const answer of [await http1(server, headers), await overHttp2(server, headers)]) {
      expect(answer.status).toBe(status);
      if (status === 431)
        expect(answer.json).toEqual({ code: "resource_exhausted", message: "header is larger than 16384 bytes" });
    }
  });

  test("the limit is the setting's", async () => {
    await using server = await startServer({ limits: { maxHeaderBytes: 64 * 1_024 } });
    expect(await http1(server, fields(1, 40_000))).toMatchObject({ status: 200 });
    expect(await overHttp2(server, fields(1, 40_000))).toMatchObject({ status: 200 });
  });
});

test.concurrent("HTTP/2's unknown methods are 501 in the contract's form", async () => {
  await using server = await startServer();
  const session = http2.connect(server.url);
  const stream = session.request({ ":method": "FOO", ":path": "/", "x-request-id": "mine" });
  stream.end();
  const [fields] = await once(stream, "response");
  expect(fields).toMatchObject({ ":status": 501, "x-request-id": "mine", "x-content-type-options": "nosniff" });
  expect(JSON.parse(String(await buffer(stream)))).toEqual({ code: "unimplemented", message: "no such HTTP method" });
  expect(await refusal(server)).toMatchObject({ status: 501, requestId: "mine" });
  session.destroy();
});

test.concurrent("the body of what is refused is not waited for", async () => {
  await using server = await startServer({ timeouts: { bodyTimeoutMs: 200 } });
  const lines = Array.from({ length: 500 }, (_, i) => `x-${i}: value\r\n`).join("");
  const head = `POST /healthz HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n${lines}\r\n`;
  expect(parse(await exchangeToEnd(server.port, `${head}1`)).status).toBe(431);
  const session = http2.connect(server.url);
  const stream = session.request({ ":method": "FOO", ":path": "/" }).resume();
  stream.write("1");
  await once(stream, "close");
  expect(stream.rstCode).toBe(http2.constants.NGHTTP2_NO_ERROR);
  session.destroy();
});

describe.concurrent("lines about refused requests", () => {
  const count = 200;
  /** Returns the lines that were written, and the number of other lines that they stand for. */
  async function flood(request: string, isWebSocket: boolean, refusedLinesPerSecond?: number) {
    await using server = await startServer({ refusedLinesPerSecond });
    const send = async () => exchangeToEnd(server.port, request);
    if (request.startsWith("GET /nothing")) {
      const last = request.replace("host: a", "host: a\r\nconnection: close");
      await exchangeToEnd(server.port, request.repeat(count - 1) + last);
    } else for (let i = 0; i < count; i += 20) await Promise.all(Array.from({ length: 20 }, send));
    const message = isWebSocket ? "WebSocket refused" : "request refused";
    const lines = () => server.log.filter(({ msg }) => msg === message).length;
    const leftOut = () =>
      server.log
        .filter(({ msg }) => msg === `${message}: further ones left out`)
        .reduce((sum, line) => sum + Number(line.count), 0);
    await until(() => lines() + leftOut() === count);
    return { lines: lines(), leftOut: leftOut() };
  }

  test.each([
    ["an unknown path", "GET /nothing HTTP/1.1\r\nhost: a\r\n\r\n", false],
    ["no HTTP", "hello\r\n\r\n", false],
    [
      "a WebSocket of no method",
      "GET /socket HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
      true,
    ],
  ])("are few a second, with the number of the others: %s", async (_name, request, isWebSocket) => {
    const bounded = await flood(request, isWebSocket, 2);
    expect(bounded.leftOut).toBeGreaterThan(0);
    expect(await flood(request, isWebSocket, Number.POSITIVE_INFINITY)).toEqual({ lines: count, leftOut: 0 });
  });
});
