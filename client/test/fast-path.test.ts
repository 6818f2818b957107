import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { create, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { GetUserResponseSchema } from "@rollcall/gen/user/v1/user";
import { envelope } from "@rollcall/shared/envelope";
import { expect, test } from "vitest";
import { type RetryEvent, RollcallError } from "../src/index.ts";
import { createRollcall, type NodeRollcallOptions } from "../src/node/index.ts";
import { checkEachForLeaks } from "./support/leaks.ts";

checkEachForLeaks();

/** Options of both ways to call: with a trace hook, each call goes through the interceptors. */
const ways: Readonly<Record<string, Partial<NodeRollcallOptions>>> = {
  "the fast path": {},
  interceptors: { trace: () => () => {} },
};

/**
 * Starts a gRPC server that answers with a list of status codes and then not at all, and records the headers of its
 * calls.
 */
async function startScripted(statuses: readonly (Code | 0)[]) {
  const user = envelope(0, toBinary(GetUserResponseSchema, create(GetUserResponseSchema, { user: { id: "ada" } })));
  const rest = [...statuses];
  const seen: IncomingHttpHeaders[] = [];
  const sessions = new Set<ServerHttp2Session>();
  const server = createServer();
  server.on("session", (session) => sessions.add(session));
  server.on("stream", (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    seen.push(headers);
    stream.on("error", () => {}).resume();
    const status = rest.shift();
    const head = { ":status": 200, "content-type": "application/grpc+proto" };
    if (status === 0) {
      stream.respond(head, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
      stream.end(user);
    } else if (status !== undefined) stream.respond({ ...head, "grpc-status": String(status) }, { endStream: true });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    async [Symbol.asyncDispose]() {
      for (const session of sessions) session.destroy();
      server.close();
    },
  };
}

const expiresAt = Math.floor(Date.now() / 1_000) + 3_600;

/** Makes an unsigned JWT that expires in an hour. Each number gives a different one. */
function makeToken(count: number): string {
  const claims = { sub: String(count), exp: expiresAt };
  return `e30.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.c2ln`;
}

/** Resolves with the error of a call, without the domain error that wraps it. */
const failureOf = (call: Promise<unknown>) =>
  call.then(
    () => new ConnectError("the call has not failed"),
    (error: Error) => ConnectError.from(error instanceof RollcallError ? error.cause : error),
  );

for (const [way, options] of Object.entries(ways)) {
  test(`by ${way}, a failed attempt is repeated with its request id, and the budget learns of both`, async () => {
    await using server = await startScripted([0, Code.Unavailable, 0]);
    const retries: RetryEvent[] = [];
    const retry = { initialDelayMs: 1, onRetry: (event: RetryEvent) => retries.push(event) };
    await using client = createRollcall({ baseUrl: server.url, token: "a.b.c", retry, ...options });
    await client.users.get("ada");
    await client.users.get("ada");
    const [first, second, third] = server.seen;
    expect(server.seen.map(({ authorization }) => authorization)).toEqual(Array(3).fill("Bearer a.b.c"));
    expect(first?.["x-request-id"]).toMatch(/^[\da-f]{32}$/);
    expect(second?.["x-request-id"]).not.toBe(first?.["x-request-id"]);
    expect(third?.["x-request-id"]).toBe(second?.["x-request-id"]);
    expect(parseInt(String(third?.["grpc-timeout"]), 10)).toBeLessThanOrEqual(5_000);
    expect(retries).toMatchObject([{ method: "user.v1.UserService/GetUser", attempt: 1 }]);
  });

  test(`by ${way}, a token that is kept is renewed when it is refused`, async () => {
    await using server = await startScripted([0, Code.Unauthenticated, 0, Code.Unauthenticated, 0]);
    const asked: (string | undefined)[] = [];
    const getToken = async ({ refused }: { refused: string | undefined }) => makeToken(asked.push(refused));
    await using client = createRollcall({ baseUrl: server.url, getToken, ...options });
    await client.users.get("ada");
    await client.users.get("ada");
    expect(asked).toEqual([undefined, makeToken(1)]);
    expect(server.seen[2]?.authorization).toBe(`Bearer ${makeToken(2)}`);
    // A stream is not repeated. The next call asks for a new token.
    expect((await failureOf(Array.fromAsync(client.streams.query("x")))).code).toBe(Code.Unauthenticated);
    await client.users.get("ada");
    expect(asked).toEqual([undefined, makeToken(1), makeToken(2)]);
  });

  test(`by ${way}, a call's own token goes in place of the client's, and its refusal is final`, async () => {
    await using server = await startScripted([0, Code.Unauthenticated, Code.Unauthenticated, 0]);
    await using client = createRollcall({ baseUrl: server.url, getToken: () => "a.b.c", ...options });
    const own = { headers: { authorization: "Bearer x.y.z" } };
    await client.users.get("ada", own);
    expect((await failureOf(client.users.get("ada", own))).code).toBe(Code.Unauthenticated);
    expect((await failureOf(Array.fromAsync(client.streams.query("x", own)))).code).toBe(Code.Unauthenticated);
    await client.users.get("ada");
    const sent = ["x.y.z", "x.y.z", "x.y.z", "a.b.c"].map((token) => `Bearer ${token}`);
    expect(server.seen.map(({ authorization }) => authorization)).toEqual(sent);
  });

  test(`by ${way}, deadlines and aborts end calls that get no answer`, async () => {
    await using server = await startScripted([0]);
    await using client = createRollcall({ baseUrl: server.url, ...options });
    // This call opens the connection, so that the deadline below does not have to include that.
    await client.users.get("ada");
    const late = await failureOf(client.users.get("ada", { timeoutMs: 50 }));
    expect([late.code, late.rawMessage]).toEqual([Code.DeadlineExceeded, "the operation timed out"]);
    const controller = new AbortController();
    const { signal } = controller;
    const aborted = [client.users.get("ada", { signal }), Array.fromAsync(client.streams.query("x", { signal }))];
    controller.abort();
    for (const call of aborted) expect((await failureOf(call)).code).toBe(Code.Canceled);
    expect((await failureOf(client.users.get("ada", { signal }))).code).toBe(Code.Canceled);
    const split = await failureOf(client.users.get("\ud800"));
    expect(split.code).toBe(Code.InvalidArgument);
  });
}
