import { createHmac } from "node:crypto";
import { once } from "node:events";
import http2 from "node:http2";
import { text } from "node:stream/consumers";
import { create } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createFetchTransport } from "@rollcall/client";
import { BidiRequestSchema, StreamService } from "@rollcall/gen/stream/v1/stream";
import { UserService } from "@rollcall/gen/user/v1/user";
import {
  cells,
  connections,
  createCellTransport,
  errorOf,
  http2Cells,
  startServerFor,
  testCa,
} from "@rollcall/testing/matrix";
import { rawRequest } from "@rollcall/testing/raw/http";
import { HALF_CLOSE, openSocket } from "@rollcall/testing/raw/web-socket";
import { startServer, type TestServer, until } from "@rollcall/testing/start-server";
import { base64url } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createTokenVerifier } from "../../src/rpc/auth/token-verifier.ts";

const secret = new Uint8Array(32).fill(7);
const issuer = "https://idp.example";
const audience = "rollcall";
const nowSeconds = Math.floor(Date.now() / 1_000);

/** Signs a JWT with this text as claims, since JSON.stringify could not write every number. */
function sign(claims: string, { key = secret, header = '{"alg":"HS256"}', hash = "sha256" } = {}): string {
  const signed = `${base64url.encode(header)}.${base64url.encode(claims)}`;
  return `${signed}.${createHmac(hash, key).update(signed).digest("base64url")}`;
}

/** Returns the claims of a valid token with these changes; undefined removes a claim. */
function claims(changes: Record<string, string | undefined> = {}): string {
  const good = { sub: '"ada"', exp: String(nowSeconds + 3_600), scope: '"users:read streams"' };
  const all = { ...good, iss: `"${issuer}"`, aud: `"${audience}"`, ...changes };
  const members = Object.entries(all).filter(([, value]) => value !== undefined);
  return `{${members.map(([name, value]) => `"${name}":${value}`).join(",")}}`;
}

const startChecking = (cell: { tls: boolean } = { tls: false }) =>
  startServerFor(cell as Parameters<typeof startServerFor>[0], {
    auth: createTokenVerifier({ keys: { secret }, issuer, audience }),
  });

const missing = "missing authorization token";
const malformed = "authorization has to be Bearer and a token";
const invalid = "invalid token";
const expired = "token has expired";
const letIn = "let in";
const past = String(nowSeconds - 10);
const future = String(nowSeconds + 3_600);
const unsigned = '{"alg":"none"}';

/** Returns the error of a call with this token. */
async function outcomeOf(server: TestServer, token: string): Promise<string> {
  const response = await fetch(`${server.url}/user.v1.UserService/ListUsers`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
    body: "{}",
  });
  const { code, message } = (await response.json()) as { code?: string; message?: string };
  if (response.ok) return letIn;
  return code === "unauthenticated" ? String(message) : String(code);
}

describe("a claim", () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startChecking();
  });
  afterAll(() => server.app.close());

  test.each<[string, Record<string, string | undefined>, string]>([
    ["all good", {}, letIn],
    ["exp beyond any number", { exp: "1e999" }, invalid],
    ["exp before any number", { exp: "-1e999" }, invalid],
    ["exp that is infinite in milliseconds", { exp: "1e308" }, invalid],
    ["exp in 30 million years", { exp: "1e15" }, letIn],
    ["exp with a fraction", { exp: `${future}.5` }, letIn],
    ["exp in the past", { exp: past }, expired],
    ["exp of zero", { exp: "0" }, expired],
    ["exp below zero", { exp: "-1" }, expired],
    ["exp that is text", { exp: `"${future}"` }, invalid],
    ["exp that is null", { exp: "null" }, invalid],
    ["no exp", { exp: undefined }, invalid],
    ["nbf in the past", { nbf: past }, letIn],
    ["nbf in the future", { nbf: future }, invalid],
    ["nbf in the future of what has expired", { nbf: future, exp: past }, invalid],
    ["nbf beyond any number", { nbf: "1e999" }, invalid],
    ["nbf before any number", { nbf: "-1e999" }, invalid],
    ["nbf that is text", { nbf: `"${past}"` }, invalid],
    ["iat in the past", { iat: past }, letIn],
    ["iat beyond any number", { iat: "1e999" }, invalid],
    ["iat that is text", { iat: `"${past}"` }, invalid],
    ["no scope", { scope: undefined }, "permission_denied"],
    ["an empty scope", { scope: '""' }, "permission_denied"],
    ["a list of scopes", { scope: '["users:read"]' }, invalid],
    ["scope of null", { scope: "null" }, invalid],
    ["scope that is a number", { scope: "1" }, invalid],
    ["sub of 255 characters", { sub: `"${"a".repeat(255)}"` }, letIn],
    ["sub of 256 characters", { sub: `"${"a".repeat(256)}"` }, invalid],
    ["sub with a NUL", { sub: '"a\\u0000b"' }, invalid],
    ["sub that is a number", { sub: "1" }, invalid],
    ["sub that is a list", { sub: '["ada"]' }, invalid],
    ["no sub", { sub: undefined }, invalid],
    ["a bad sub of what has expired", { sub: "1", exp: past }, invalid],
    ["another issuer", { iss: '"https://other.example"' }, invalid],
    ["another issuer of what has expired", { iss: '"https://other.example"', exp: past }, invalid],
    ["another audience", { aud: '"other"' }, invalid],
    ["another audience of what has expired", { aud: '"other"', exp: past }, invalid],
    ["no audience of what has expired", { aud: undefined, exp: past }, invalid],
  ])("%s", async (_, changes, outcome) => {
    expect(await outcomeOf(server, sign(claims(changes)))).toBe(outcome);
  });

  test.each(["[]", "1", '"text"', "null", "{", ""])("%j is not a key set", async (text) => {
    expect(await outcomeOf(server, sign(text))).toBe(invalid);
  });
});

test.each([
  ["another key's", { key: new Uint8Array(32) }],
  ["an algorithm that is not taken", { header: '{"alg":"HS512"}', hash: "sha512" }],
  ["no algorithm", { header: unsigned }],
])("an expired token with %s signature does not learn that it has expired", async (_, signing) => {
  await using server = await startChecking();
  expect(await outcomeOf(server, sign(claims({ exp: past }), signing))).toBe(invalid);
  expect(await outcomeOf(server, sign(claims({ exp: past })))).toBe(expired);
});

test("why a token was refused is in the log, at level debug, with the call's id", async () => {
  await using server = await startChecking();
  const why = async (token: string) => {
    server.log.length = 0;
    await outcomeOf(server, token);
    const { requestId } = await until(() => server.log.find(({ msg }) => msg === "call"));
    const line = server.log.find(({ msg }) => msg === "token not accepted");
    expect(line).toMatchObject({ level: "debug", requestId });
    return line?.reason;
  };
  expect(await why(sign(claims({ exp: past })))).toContain("claim timestamp check failed");
  expect(await why(sign(claims({ exp: "1e999" })))).toContain("out of range");
  expect(await why(sign(claims(), { key: new Uint8Array(32) }))).toContain("signature");
  expect(await why("a".repeat(9_000))).toContain("too long");
});

/** Values of `authorization`, each with the error of its call. The value "" omits the header. */
const refusals: [authorization: string, message: string][] = [
  ["", missing],
  [`Bearer ${sign(claims({ exp: past }))}`, expired],
  [`Bearer ${sign(claims(), { key: new Uint8Array(32) })}`, invalid],
  ["Bearer abc", invalid],
  ["Bearer", malformed],
  ["Bearer ", malformed],
  ["Bearer a b", malformed],
  ["Basic YTpi", malformed],
  [sign(claims()), malformed],
];

describe("the error says", () => {
  test.each(cells)("over $protocol, $connection", async (cell) => {
    await using server = await startChecking(cell);
    for (const [authorization, message] of refusals) {
      // A plain transport, since the cell's own adds a token if there is none.
      const { createTransport, httpVersion } = cell;
      const transport = createTransport({
        baseUrl: server.url,
        httpVersion,
        nodeOptions: { ca: testCa },
        interceptors: [],
      });
      const headers: Record<string, string> = authorization === "" ? {} : { authorization };
      const unary = await errorOf(createClient(UserService, transport).listUsers({}, { headers }));
      expect(unary).toMatchObject({ code: Code.Unauthenticated, rawMessage: message });
      const stream = createClient(StreamService, transport).serverStream({ query: "q" }, { headers });
      const streamed = await errorOf(Array.fromAsync(stream));
      expect(streamed).toMatchObject({ code: Code.Unauthenticated, rawMessage: message });
    }
  });

  test("over WebSocket", async () => {
    await using server = await startChecking();
    const streams = createClient(StreamService, createFetchTransport({ baseUrl: server.url }));
    for (const [authorization, message] of refusals) {
      const headers: Record<string, string> = authorization === "" ? {} : { authorization };
      const error = await errorOf(streams.clientStream((async function* () {})(), { headers }));
      expect(error).toMatchObject({ code: Code.Unauthenticated, rawMessage: message });
    }
  });
});

describe("two authorization headers are refused, whichever of them is good", () => {
  const good = `Bearer ${sign(claims())}`;
  const pairs: [string, string[], string][] = [
    ["one alone, the control", [good], letIn],
    ["a good one and another", [good, "Bearer abc"], malformed],
    ["another and a good one", ["Bearer abc", good], malformed],
    ["the same twice", [good, good], malformed],
    ["an empty one and a good one", ["", good], malformed],
  ];
  const path = "/user.v1.UserService/ListUsers";

  test.each(pairs)("over HTTP/1.1: %s", async (_, authorization, outcome) => {
    await using server = await startChecking();
    const headers = { "content-type": "application/json", authorization } as unknown as Record<string, string>;
    const { status, body } = await rawRequest("POST", `${server.url}${path}`, headers, "{}");
    expect(status).toBe(outcome === letIn ? 200 : 401);
    if (outcome !== letIn) expect(JSON.parse(String(body))).toEqual({ code: "unauthenticated", message: outcome });
  });

  test.each(pairs)("over HTTP/2: %s", async (_, authorization, outcome) => {
    await using server = await startChecking();
    const options: http2.ClientSessionOptions & { strictSingleValueFields: boolean } = {
      strictSingleValueFields: false,
    };
    const session = http2.connect(server.url, options);
    const stream = session.request([
      ...[":method", "POST", ":path", path, ":scheme", "http", ":authority", `localhost:${server.port}`],
      ...["content-type", "application/json"],
      ...authorization.flatMap((value) => ["authorization", value]),
    ]);
    stream.end("{}");
    const [headers] = await once(stream, "response");
    expect(headers[":status"]).toBe(outcome === letIn ? 200 : 401);
    const body = JSON.parse(await text(stream));
    if (outcome !== letIn) expect(body).toEqual({ code: "unauthenticated", message: outcome });
    session.destroy();
  });

  test.each(pairs)("over WebSocket, in-band: %s", async (_, authorization, outcome) => {
    await using server = await startChecking();
    // The header of the upgrade request is not part of the call, since a browser can't send one.
    const { ws, opened, closed, received } = openSocket(server, { headers: { authorization: "Bearer nothing" } });
    await opened;
    const lines = authorization.map((value) => `authorization: ${value}\r\n`);
    ws.send(Buffer.from(`content-type: application/grpc-web+proto\r\n${lines.join("")}`));
    ws.send(HALF_CLOSE);
    expect(await closed).toEqual({ code: 1000, status: outcome === letIn ? 0 : Code.Unauthenticated });
    if (outcome !== letIn) {
      expect(decodeURIComponent(Buffer.concat(received).toString("latin1"))).toContain(outcome);
    }
  });
});

test("a stream whose token expires ends with that, in every protocol", async () => {
  // A busy machine may leave a call no time for its reply. Then it gets more.
  for (let leftMs = 1_000; !(await areAllReplied(leftMs)); leftMs *= 4) expect(leftMs).toBeLessThan(60_000);
});

/** Returns whether all chats got their replies before their token expired, and asserts how they end. */
async function areAllReplied(leftMs: number): Promise<boolean> {
  // The clock stands still, so that this much of the token's hour is left, however late the call comes.
  const nowMs = Date.now() + 3_600_000 - leftMs;
  await using server = await startServer({ now: () => nowMs });
  const chat = async (transport: Awaited<ReturnType<typeof createCellTransport>>) => {
    const forever = (async function* () {
      yield create(BidiRequestSchema, { message: "hello" });
      await new Promise(() => {});
    })();
    const headers = await server.auth({ now: Date.now });
    const replies: string[] = [];
    const responses = createClient(StreamService, transport).bidirectionalStream(forever, { headers });
    const error = await (async () => {
      for await (const { reply } of responses) replies.push(reply);
    })().catch(ConnectError.from);
    return { replies, code: error?.code, message: error?.rawMessage };
  };
  const plaintext = http2Cells.filter(({ tls }) => !tls);
  const transports = await Promise.all(plaintext.map((cell) => createCellTransport(server, cell)));
  const ends = await Promise.all([...transports, createFetchTransport({ baseUrl: server.url })].map(chat));
  for (const end of ends) expect(end).toMatchObject({ code: Code.Unauthenticated, message: expired });
  expect(ends).toHaveLength(5);
  if (ends.some(({ replies }) => replies.length === 0)) return false;
  for (const { replies } of ends) expect(replies).toEqual(["Echo: hello"]);
  return true;
}

test("tokens of the secret before are good until they expire, and those of any other secret are not", async () => {
  const previousSecret = new Uint8Array(32).fill(8);
  await using server = await startServerFor(connections.h2c, {
    auth: createTokenVerifier({ keys: { secret, previousSecret }, issuer, audience }),
  });
  // The second call finds each token remembered.
  for (let call = 0; call < 2; call++) {
    expect(await outcomeOf(server, sign(claims()))).toBe(letIn);
    expect(await outcomeOf(server, sign(claims(), { key: previousSecret }))).toBe(letIn);
    expect(await outcomeOf(server, sign(claims({ exp: past }), { key: previousSecret }))).toBe(expired);
    expect(await outcomeOf(server, sign(claims(), { key: new Uint8Array(32).fill(9) }))).toBe(invalid);
  }
});
