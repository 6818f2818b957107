import { Code, ConnectError, createClient, type Interceptor } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { StreamService } from "@rollcall/gen/stream/v1/stream";
import { UserService } from "@rollcall/gen/user/v1/user";
import { startServer, type TestServer, until } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";
import {
  createAuthInterceptor,
  createLoggingInterceptor,
  createRequestIdInterceptor,
  createTracingInterceptor,
  type TokenRequest,
} from "../src/index.ts";
import { createRollcall } from "../src/node/index.ts";

/** Creates clients over the stock transport, since each interceptor is useful without the others. */
function stockClients(server: TestServer, ...interceptors: Interceptor[]) {
  const transport = createGrpcTransport({ baseUrl: server.url, interceptors, idleConnectionTimeoutMs: 100 });
  return { users: createClient(UserService, transport), streams: createClient(StreamService, transport) };
}

test("auth: a token is sent, or asked for before each call", async () => {
  await using server = await startServer();
  const token = await server.token();
  const fixed = stockClients(server, createAuthInterceptor({ token }));
  await fixed.users.listUsers({});
  await Array.fromAsync(fixed.streams.serverStream({ query: "q" }));

  let current: string | undefined;
  const asked = stockClients(server, createAuthInterceptor({ token: () => current }));
  await expect(asked.users.listUsers({})).rejects.toThrow("missing authorization token");
  current = token;
  await asked.users.listUsers({});
});

test("auth: a token that takes work is kept until shortly before it expires", async () => {
  await using server = await startServer();
  let nowMs = Date.now();
  let count = 0;
  const token = async () => {
    count += 1;
    return server.token({ ttlSeconds: 3_600 });
  };
  const { users } = stockClients(server, createAuthInterceptor({ token, renewBeforeMs: 60_000, now: () => nowMs }));
  // Calls at the same time share one request.
  await Promise.all([1, 2, 3].map(() => users.listUsers({})));
  await users.listUsers({});
  expect(count).toBe(1);
  nowMs += 3_530_000;
  await users.listUsers({});
  expect(count).toBe(1);
  nowMs += 20_000;
  await users.listUsers({});
  expect(count).toBe(2);
});

test("auth: a token that is refused is renewed once", async () => {
  await using server = await startServer();
  const expired = await server.token({ ttlSeconds: -10 });
  const valid = await server.token();
  const requests: TokenRequest[] = [];
  const renewing = async (request: TokenRequest) => {
    requests.push(request);
    return request.refused === undefined ? expired : valid;
  };
  const { users } = stockClients(server, createAuthInterceptor({ token: renewing }));
  await users.listUsers({});
  expect(requests).toEqual([{ refused: undefined }, { refused: expired }]);
  await users.listUsers({});
  expect(requests).toHaveLength(2);

  // The call is repeated only once. A second refusal goes to the caller.
  let asked = 0;
  const hopeless = stockClients(server, createAuthInterceptor({ token: async () => `not.a.token${++asked}` }));
  await expect(hopeless.users.listUsers({})).rejects.toMatchObject({ code: Code.Unauthenticated });
  expect(asked).toBe(2);
  // The same token again does not count as a renewal.
  const same = stockClients(server, createAuthInterceptor({ token: expired }));
  const before = server.log.filter(({ msg }) => msg === "call").length;
  await expect(same.users.listUsers({})).rejects.toMatchObject({ code: Code.Unauthenticated });
  await until(() => server.log.filter(({ msg }) => msg === "call").length === before + 1);
});

test("auth: after a stream is refused, the next call has a new token", async () => {
  await using server = await startServer();
  let asked = 0;
  // The token looks valid by its exp, but the server does not know its key.
  const unknownKey = await startServer();
  const stale = await unknownKey.token();
  await unknownKey.app.close();
  const token = async () => (++asked === 1 ? stale : server.token());
  const { streams } = stockClients(server, createAuthInterceptor({ token }));
  const results = () => Array.fromAsync(streams.serverStream({ query: "q" }));
  await expect(results()).rejects.toMatchObject({ code: Code.Unauthenticated });
  expect(await results()).toHaveLength(10);
});

test("auth: null, which is what storages of browsers have for nothing, is no token", async () => {
  await using server = await startServer();
  const { users } = stockClients(server, createAuthInterceptor({ token: () => null }));
  await expect(users.listUsers({})).rejects.toThrow("missing authorization token");
});

test("auth: a refusal that comes late, for a token that was replaced meanwhile, renews nothing", async () => {
  await using server = await startServer();
  const stale = await server.token({ ttlSeconds: -10 });
  const valid = await server.token();
  const asked: (string | undefined)[] = [];
  let current = stale;
  const token = ({ refused }: TokenRequest) => {
    asked.push(refused);
    if (refused !== undefined) current = valid;
    return current;
  };
  const gate = Promise.withResolvers<void>();
  const holdStreams: Interceptor = (next) => async (request) => {
    if (request.stream) await gate.promise;
    return next(request);
  };
  const { streams, users } = stockClients(server, createAuthInterceptor({ token }), holdStreams);
  const late = Array.fromAsync(streams.serverStream({ query: "q" })).catch((error: unknown) => error);
  await until(() => asked.length === 1);
  await users.listUsers({});
  gate.resolve();
  expect(await late).toMatchObject({ code: Code.Unauthenticated });
  await users.listUsers({});
  expect(asked).toEqual([undefined, undefined, stale, undefined]);
});

test("auth: the token of a request that an interceptor outside sends again is not taken for the call's own", async () => {
  await using server = await startServer();
  const tokens = [await server.token({ ttlSeconds: -10 }), await server.token()];
  let failures = 0;
  const twice: Interceptor = (next) => (request) =>
    next(request).catch(() => {
      failures += 1;
      return next(request);
    });
  const { users } = stockClients(server, twice, createAuthInterceptor({ token: () => tokens[failures] }));
  await users.listUsers({});
});

test("auth: a call that is canceled, or late, does not wait for its token", async () => {
  await using server = await startServer();
  const never = Promise.withResolvers<string>();
  const { users } = stockClients(server, createAuthInterceptor({ token: () => never.promise }));
  const controller = new AbortController();
  const canceled = users.listUsers({}, { signal: controller.signal });
  controller.abort();
  await expect(canceled).rejects.toMatchObject({ code: Code.Canceled });
  const late = users.listUsers({}, { timeoutMs: 20 });
  await expect(late).rejects.toMatchObject({ code: Code.DeadlineExceeded });
  // The token fails after its call has ended. That must not be an unhandled rejection.
  never.reject(new Error("no token"));
});

test("request id: one for each call, in the server's log too; one that is there is kept", async () => {
  await using server = await startServer({ auth: false });
  const { users } = stockClients(server, createRequestIdInterceptor());
  await users.listUsers({});
  await users.listUsers({}, { headers: { "x-request-id": "mine" } });
  const part = stockClients(server, createRequestIdInterceptor({ currentId: () => "the-request-i-answer" }));
  await part.users.listUsers({});
  // The server would replace this id with its own, and the error about the header would quote it.
  const odd = stockClients(server, createRequestIdInterceptor({ currentId: () => "a\nb" }));
  await odd.users.listUsers({});
  const ids = await until(() => {
    const lines = server.log.filter(({ msg }) => msg === "call");
    return lines.length === 4 && lines.map(({ requestId }) => requestId);
  });
  const made = expect.stringMatching(/^[\da-f]{32}$/);
  expect(ids).toEqual([made, "mine", "the-request-i-answer", made]);
});

test("logging: a line a call, a stream's at its end, without tokens or content", async () => {
  await using server = await startServer();
  const lines: { level: string; fields: object; message: string }[] = [];
  const logger = {
    info: (fields: object, message: string) => lines.push({ level: "info", fields, message }),
    warn: (fields: object, message: string) => lines.push({ level: "warn", fields, message }),
  };
  const token = await server.token();
  const clients = stockClients(server, createLoggingInterceptor({ logger }), createAuthInterceptor({ token }));
  await clients.users.createUser({ email: "ada@example.com", name: "Ada" });
  await expect(clients.users.getUser({ id: "x" })).rejects.toThrow();
  const stream = clients.streams.serverStream({ query: "secret question" })[Symbol.asyncIterator]();
  await stream.next();
  expect(lines).toHaveLength(2);
  for (let result = await stream.next(); !result.done; ) result = await stream.next();
  expect(lines).toMatchObject([
    { level: "info", message: "call", fields: { method: "user.v1.UserService/CreateUser", code: "ok" } },
    { level: "warn", fields: { method: "user.v1.UserService/GetUser", code: "not_found", error: "user not found" } },
    { level: "info", fields: { method: "stream.v1.StreamService/ServerStream", code: "ok" } },
  ]);
  expect(JSON.stringify(lines)).not.toContain(token);
  expect(JSON.stringify(lines)).not.toContain("ada@example.com");
  expect(JSON.stringify(lines)).not.toContain("secret question");
});

test("logging: a stream that is left is logged when its call is canceled", async () => {
  await using server = await startServer({ streams: { resultIntervalMs: 10, resultCount: 1_000 } });
  const codes: unknown[] = [];
  const take = (fields: object) => codes.push((fields as { code: unknown }).code);
  await using client = createRollcall({
    baseUrl: server.url,
    token: await server.token(),
    logger: { info: take, warn: take },
  });
  for await (const _ of client.streams.query("q")) break;
  expect(codes).toEqual(["canceled"]);
});

test("tracing: the hook sees begin and end of each call, and its header goes to the server", async () => {
  await using server = await startServer({ auth: false });
  const spans: unknown[] = [];
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const seen: (string | null)[] = [];
  const { users, streams } = stockClients(
    server,
    createTracingInterceptor(({ method, stream, header }) => {
      header.set("traceparent", traceparent);
      spans.push(["begin", method, stream]);
      return (error) => spans.push(["end", method, error?.code]);
    }),
    (next) => (request) => {
      seen.push(request.header.get("traceparent"));
      return next(request);
    },
  );
  await users.listUsers({});
  await expect(users.getUser({ id: "x" })).rejects.toThrow(ConnectError);
  await Array.fromAsync(streams.serverStream({ query: "q" }));
  expect(spans).toEqual([
    ["begin", "user.v1.UserService/ListUsers", false],
    ["end", "user.v1.UserService/ListUsers", undefined],
    ["begin", "user.v1.UserService/GetUser", false],
    ["end", "user.v1.UserService/GetUser", Code.NotFound],
    ["begin", "stream.v1.StreamService/ServerStream", true],
    ["end", "stream.v1.StreamService/ServerStream", undefined],
  ]);
  expect(seen).toEqual([traceparent, traceparent, traceparent]);
});

test("hooks and loggers that throw fail no call, and run once for each", async () => {
  await using server = await startServer({ auth: false });
  const called: string[] = [];
  const fail = (what: string) => {
    called.push(what);
    throw new Error(what);
  };
  let attempts = 0;
  await using client = createRollcall({
    baseUrl: server.url,
    trace: ({ stream }) => (stream ? fail("begin") : () => fail("end")),
    logger: { info: () => fail("info"), warn: () => fail("warn") },
    retry: { initialDelayMs: 1, onRetry: () => fail("onRetry") },
    interceptors: [
      (next) => (request) => {
        attempts += 1;
        if (attempts === 1) throw new ConnectError("for now", Code.Unavailable);
        return next(request);
      },
    ],
  });
  expect((await client.users.list()).users).toEqual([]);
  expect(attempts).toBe(2);
  expect(called.splice(0)).toEqual(["onRetry", "warn", "info", "end"]);
  await expect(client.users.get("x")).rejects.toMatchObject({ code: Code.NotFound });
  expect(called.splice(0)).toEqual(["warn", "end"]);
  expect(await Array.fromAsync(client.streams.query("q"))).toHaveLength(10);
  expect(called).toEqual(["begin", "info"]);
});

test("one call is one line and one request id, however many attempts it takes", async () => {
  await using server = await startServer();
  const lines: [string, object][] = [];
  const attempts: (string | null)[] = [];
  await using client = createRollcall({
    baseUrl: server.url,
    token: await server.token(),
    retry: { initialDelayMs: 1 },
    logger: {
      info: (fields, message) => lines.push([message, fields]),
      warn: (fields, message) => lines.push([message, fields]),
    },
    interceptors: [
      (next) => (request) => {
        attempts.push(request.header.get("x-request-id"));
        if (attempts.length === 1) throw new ConnectError("for now", Code.Unavailable);
        return next(request);
      },
    ],
  });
  await client.users.list();
  expect(lines.map(([message]) => message)).toEqual(["retry", "call"]);
  expect(lines[0]?.[1]).toMatchObject({ attempt: 1, method: "user.v1.UserService/ListUsers" });
  expect(attempts).toHaveLength(2);
  expect(attempts[0]).toBe(attempts[1]);
  expect(lines[1]?.[1]).toMatchObject({ requestId: attempts[0] });
});
