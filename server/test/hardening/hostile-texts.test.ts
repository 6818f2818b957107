/** Request texts that are made to break a parser, an object, a clock or the log. */
import { connections } from "@rollcall/testing/matrix";
import { rawCall } from "@rollcall/testing/raw/call";
import { exchangeToEnd, rawRequest } from "@rollcall/testing/raw/http";
import { END_STREAM, HEADERS, postTo, RawHttp2, RST_STREAM } from "@rollcall/testing/raw/http2";
import { startServer, type TestServer } from "@rollcall/testing/start-server";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const CREATE = "/user.v1.UserService/CreateUser";
const LIST = "/user.v1.UserService/ListUsers";

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.app.close());

const post = (path: string, body: string, headers: Record<string, string> = {}) =>
  rawCall(server, connections.http1, {
    path,
    headers: { "content-type": "application/json", ...headers },
    body: Buffer.from(body),
  });

/** Returns the server's faults. No text may cause any. */
const faults = () => server.log.filter(({ level }) => level === "error");

describe("JSON", () => {
  test.each([
    ["lists in lists", "[".repeat(100_000)],
    ["objects in objects", '{"a":'.repeat(40_000)],
    ["complete ones", `${'{"a":'.repeat(20_000)}1${"}".repeat(20_000)}`],
    ["complete ones in a known field", `{"name":${"[".repeat(50_000)}${"]".repeat(50_000)}}`],
  ])("that is nested deeply, %s, is a bad request", async (_name, body) => {
    expect(await post(CREATE, body)).toMatchObject({ status: 400, code: "invalid_argument" });
    expect(faults()).toEqual([]);
  });

  test.each([
    '{"__proto__":{"email":"eve@example.com","name":"Eve","isAdmin":true}}',
    '{"constructor":{"prototype":{"isAdmin":true}}}',
    '{"email":"eve@example.com","name":"Eve","__proto__":null,"toString":1}',
  ])("%s changes no object and creates nobody", async (body) => {
    expect(await post(CREATE, body, { "connect-protocol-version": "1" })).toMatchObject({
      code: body.includes('"email":"eve@example.com","name":"Eve","__proto__":null') ? "ok" : "invalid_argument",
    });
    expect(await post(CREATE, body.replace("eve@", "bob@"))).toMatchObject({ code: "invalid_argument" });
    expect(({} as Record<string, unknown>).isAdmin).toBe(undefined);
    expect(faults()).toEqual([]);
  });
});

describe("a timeout that is none", () => {
  const refused = { code: "invalid_argument" };
  test.each(["", "-1", "1.5", "1e3", "99999999999", "0x10", "1 ", "NaN", "५"])(
    "connect-timeout-ms: %j never ends in a fault, nor in a call without a deadline",
    async (value) => {
      const text = Buffer.from(value).toString("latin1");
      const { code } = await post(LIST, "{}", { "connect-timeout-ms": text });
      // HTTP ignores blanks around a value, so some of these values are valid numbers.
      expect(["invalid_argument", "ok", "deadline_exceeded"]).toContain(code);
      if (!["1 ", "", "-1"].includes(value)) expect({ code }).toEqual(refused);
      expect(faults()).toEqual([]);
    },
  );

  test.each(["1", "S", "-1S", "1.5S", "999999999S", "1s", "1s ", "1x"])(
    "grpc-timeout: %j is refused",
    async (value) => {
      const outcome = await rawCall(server, connections.h2c, {
        path: LIST,
        headers: { "content-type": "application/grpc", te: "trailers", "grpc-timeout": value },
        body: Buffer.alloc(5),
      });
      expect(outcome).toMatchObject(refused);
      expect(faults()).toEqual([]);
    },
  );
});

describe("line breaks", () => {
  const forged = '{"level":"info","msg":"forged"}';

  test("in headers are refused over HTTP/2, and never reach the log or an answer", async () => {
    for (const value of [`a\r\nx-evil: 1`, `a\n${forged}`, "a\0b"]) {
      const client = await RawHttp2.open(server.port);
      const streamId = client.request(postTo(LIST, { "x-request-id": value, ...(await server.auth()) }), END_STREAM);
      const end = await client.next(
        (frame) => frame.streamId === streamId && [HEADERS, RST_STREAM].includes(frame.type),
      );
      // A header block with such a value is malformed. Node.js or nghttp2 resets its stream, or the request is answered
      // as a bad one.
      expect(String(end?.payload.toString("latin1"))).not.toContain("evil");
      client.destroy();
    }
    expect(JSON.stringify(server.log)).not.toMatch(/forged|evil/);
  });

  test("that a request's head is split by are read as HTTP has them, and no answer has them", async () => {
    const answer = await exchangeToEnd(
      server.port,
      `GET /nothing%0d%0ax-evil:%201 HTTP/1.1\r\nhost: a\r\nx-request-id: a%0d%0ab\r\nconnection: close\r\n\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1.1 4\d\d /);
    expect(answer).not.toMatch(/^x-evil/im);
  });

  test("in what callers name are one line of the log, as JSON has them", async () => {
    const before = server.log.length;
    const name = `Ada\n${forged}\u001b[2J\u2028`;
    await post(CREATE, JSON.stringify({ email: `x\n${forged}`, name }), { "x-request-id": "own" });
    await rawRequest("GET", `${server.url}/a%0A${encodeURIComponent(forged)}`, {
      "user-agent": `\u001b[31m${forged}`.replaceAll(/[^\x20-\x7e]/g, ""),
    });
    const lines = server.log.slice(before);
    expect(lines.length).toBeGreaterThanOrEqual(2);
    // The log's lines are parsed one by one, so a forged line would be a separate object.
    expect(lines.filter(({ msg }) => msg === "forged")).toEqual([]);
  });
});

describe("a page of another site", () => {
  const from = (contentType: string) => ({ "content-type": contentType, origin: "https://evil.example" });

  test.each(["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])(
    "can't send a call as a form does: %s",
    async (contentType) => {
      const body = '{"email":"csrf@example.com","name":"Eve"}';
      expect((await post(CREATE, body, from(contentType))).status).toBe(415);
      const users = await post(LIST, '{"filter":"csrf"}');
      expect(users.body.toString()).not.toContain("csrf");
    },
  );

  test("is not told that it may read, and has no cookie that would let it in", async () => {
    const answer = await rawRequest("POST", `${server.url}${LIST}`, from("application/json"), "{}");
    expect(answer.status).toBe(401);
    expect(answer.headers.get("access-control-allow-origin")).toBe(null);
    expect(answer.headers.get("set-cookie")).toBe(null);
  });
});
