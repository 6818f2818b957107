import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-node";
import { UserService } from "@rollcall/gen/user/v1/user";
import { startServer } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";
import { createRollcall, findForeignAnswer, RollcallError, toRollcallError } from "../src/index.ts";
import { createRollcall as createNodeClient } from "../src/node/index.ts";
import { checkEachForLeaks } from "./support/leaks.ts";
import { type RawResponse, startRawServer } from "./support/raw-server.ts";

checkEachForLeaks();

const page = (status: number, headers: RawResponse["headers"] = {}): RawResponse => ({
  status,
  headers: { "content-type": "text/html; charset=utf-8", ...headers },
  body: new TextEncoder().encode("<html><body><h1>Request Entity Too Large</h1></body></html>"),
});
const json = (status: number, body: unknown): RawResponse => ({
  status,
  headers: { "content-type": "application/json" },
  body: new TextEncoder().encode(JSON.stringify(body)),
});

const forbidden = json(403, { message: "Forbidden" });

/** Answers of an intermediate server, each with the code that callers see, and with Connect's code if it differs. */
const answers: Record<string, [RawResponse, Code, Code?]> = {
  "HTTP 413 with a page": [page(413), Code.ResourceExhausted],
  "HTTP 502 with a page": [page(502), Code.Unavailable],
  "HTTP 502 with nothing": [{ status: 502, headers: {}, body: new Uint8Array() }, Code.Unavailable],
  "HTTP 200 with a page": [page(200), Code.Unknown],
  "HTTP 401 with a page": [page(401), Code.Unauthenticated],
  "HTTP 302": [page(302, { location: "/sign-in" }), Code.Unknown],
  "HTTP 403 with JSON of another API": [forbidden, Code.PermissionDenied],
  // Connect's conformance suite requires this: only a page shows that a proxy refuses the size.
  "HTTP 413 with nothing": [{ status: 413, headers: {}, body: new Uint8Array() }, Code.Unknown],
  "HTTP 502 with a large error in JSON": [
    json(502, { code: "unavailable", message: "x".repeat(100_000) }),
    Code.Unavailable,
  ],
  // Connect uses this content type itself, for calls in JSON.
  "HTTP 200 with JSON of another API": [json(200, { status: "ok" }), Code.Unknown, Code.Internal],
};

/** Returns a client without retries for each way in which the library makes calls. */
function clientsOf({ http1, http2 }: { http1: string; http2: string }) {
  const options = { retry: false } as const;
  return {
    "fetch, Connect": createRollcall({ ...options, baseUrl: http1 }),
    "fetch, gRPC-Web": createRollcall({ ...options, baseUrl: http1, protocol: "grpc-web" }),
    "Node, Connect, HTTP/1.1": createNodeClient({
      ...options,
      baseUrl: http1,
      protocol: "connect",
      httpVersion: "1.1",
    }),
    "Node, gRPC-Web, HTTP/1.1": createNodeClient({
      ...options,
      baseUrl: http1,
      protocol: "grpc-web",
      httpVersion: "1.1",
    }),
    "Node, Connect, HTTP/2": createNodeClient({ ...options, baseUrl: http2, protocol: "connect" }),
    "Node, gRPC-Web, HTTP/2": createNodeClient({ ...options, baseUrl: http2, protocol: "grpc-web" }),
    "Node, gRPC, HTTP/2": createNodeClient({ ...options, baseUrl: http2, protocol: "grpc" }),
  };
}

const first = <T>(messages: AsyncIterable<T>) => messages[Symbol.asyncIterator]().next();

test.each(Object.entries(answers))(
  "%s is not blamed on the server, over any protocol",
  async (_name, [answer, code, connectCode = code]) => {
    await using server = await startRawServer(answer);
    for (const [way, client] of Object.entries(clientsOf(server))) {
      // These calls expect JSON, so this answer is not foreign to them.
      if (way.endsWith("JSON") && answer === answers["HTTP 200 with JSON of another API"]?.[0]) continue;
      const calls = {
        read: () => client.users.get("1"),
        write: () => client.users.create({ email: "ada@example.com", name: "Ada" }),
        stream: () => first(client.streams.query("hello")),
      };
      for (const [kind, call] of Object.entries(calls)) {
        const error = await call().catch((reason: unknown) => reason);
        const what = `${way}, ${kind}: ${error}`;
        expect(error, what).toBeInstanceOf(ConnectError);
        expect((error as ConnectError).code, what).toBe(way.includes("Connect") ? connectCode : code);
        expect(findForeignAnswer(error)?.status, what).toBe(answer.status);
        // Connect allows an error without a code, and uses its words.
        const hasWords = way.includes("Connect") && kind !== "stream" && answer === forbidden;
        expect((error as ConnectError).rawMessage, what).toMatch(
          hasWords
            ? /^Forbidden$/
            : /^HTTP \d{3}(?: with \S+)? is no answer of this API: it comes from something in between/,
        );
        expect(toRollcallError(error), what).not.toBeInstanceOf(RollcallError);
      }
      await client.close();
    }
  },
);

test.each([502, 200])("HTTP %i with a page that never ends is refused at once, over any protocol", async (status) => {
  await using server = await startRawServer({ ...page(status), isEndless: true });
  for (const [way, client] of Object.entries(clientsOf(server))) {
    // Nothing but the head can end these calls before the test's own limit.
    const calls = {
      read: () => client.users.get("1", { timeoutMs: 0 }),
      stream: () => first(client.streams.query("hello")),
    };
    for (const [kind, call] of Object.entries(calls)) {
      const error = await call().catch((reason: unknown) => reason);
      expect(findForeignAnswer(error)?.status, `${way}, ${kind}: ${error}`).toBe(status);
    }
    await client.close();
  }
});

test("the control: the stock client reads a page as a message of 1752460652 bytes", async () => {
  await using server = await startRawServer(page(200));
  const users = createClient(
    UserService,
    createGrpcWebTransport({ baseUrl: server.http1, httpVersion: "1.1", readMaxBytes: 4 * 1024 ** 2 }),
  );
  await expect(users.getUser({ id: "1" })).rejects.toThrow("message size 1752460652");
});

test("the control: what the server itself refuses or answers stays as it is, over any protocol", async () => {
  await using server = await startServer();
  const token = await server.token({ scopes: ["users:read"] });
  for (const [way, client] of Object.entries(clientsOf({ http1: server.url, http2: server.url }))) {
    const authorization = { headers: { authorization: `Bearer ${token}` } };
    const refused = await client.users.get("1").catch((reason: unknown) => reason);
    expect(refused, way).toMatchObject({ message: "missing authorization token" });
    expect(findForeignAnswer(refused), way).toBeUndefined();
    await expect(client.users.get("1", authorization), way).rejects.toMatchObject({ message: "user not found" });
    expect((await client.users.list({}, authorization)).users, way).toEqual([]);
    const forbidden = await first(client.streams.query("hello", authorization)).catch((reason: unknown) => reason);
    expect(forbidden, way).toMatchObject({ code: Code.PermissionDenied, rawMessage: "missing scope streams" });
    await client.close();
  }
});

test("what the server refuses as no call keeps its words, over any protocol", async () => {
  const refusal = { code: "unimplemented", message: "bidirectional streams need HTTP/2" };
  await using server = await startRawServer(json(505, refusal));
  for (const [way, client] of Object.entries(clientsOf(server))) {
    for (const call of [() => client.users.get("1"), () => first(client.streams.query("hello"))]) {
      await expect(call(), way).rejects.toMatchObject({ code: Code.Unimplemented, rawMessage: refusal.message });
    }
    await client.close();
  }
});

test("a proxy's 401 asks for no other token, and its Retry-After is heeded", async () => {
  let asked = 0;
  const getToken = async () => `token-${++asked}`;
  await using server = await startRawServer(page(401));
  const client = createNodeClient({ baseUrl: server.http2, getToken });
  await expect(client.users.get("1")).rejects.toMatchObject({ code: Code.Unauthenticated });
  expect(server.calls).toBe(1);
  await client.close();

  await using busy = await startRawServer(page(503, { "retry-after": "0" }));
  const other = createNodeClient({ baseUrl: busy.http2, retry: { maxAttempts: 3, initialDelayMs: 1 } });
  await expect(other.users.get("1")).rejects.toMatchObject({ code: Code.Unavailable });
  expect(busy.calls).toBe(3);
  await other.close();
});
