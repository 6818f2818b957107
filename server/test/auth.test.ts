import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { StreamService } from "@rollcall/gen/stream/v1/stream";
import { UserService } from "@rollcall/gen/user/v1/user";
import { base64url, exportJWK, generateKeyPair, SignJWT, UnsecuredJWT } from "jose";
import { describe, expect, test } from "vitest";
import { createTokenVerifier } from "../src/rpc/auth/token-verifier.ts";
import { startServer, type TestServer, until } from "./harness.ts";

const transports = {
  grpc: createGrpcTransport,
  "grpc-web": createGrpcWebTransport,
  connect: createConnectTransport,
};

function clients(server: TestServer, protocol: keyof typeof transports = "grpc") {
  const transport = transports[protocol]({ baseUrl: server.url, httpVersion: "2" });
  return { users: createClient(UserService, transport), streams: createClient(StreamService, transport) };
}

async function refusal(call: Promise<unknown>): Promise<{ code: string; message: string }> {
  const { code, rawMessage } = await call.then(() => expect.fail("was let in"), ConnectError.from);
  return { code: Code[code], message: rawMessage };
}

const missing = { code: "Unauthenticated", message: "missing authorization token" };
const invalid = { code: "Unauthenticated", message: "invalid token" };

describe.each(Object.keys(transports) as (keyof typeof transports)[])("over %s", (protocol) => {
  test("a call without a token is refused, and one with a token is let in", async () => {
    await using server = await startServer();
    const { users, streams } = clients(server, protocol);
    expect(await refusal(users.listUsers({}))).toEqual(missing);
    const stream = async (headers: Record<string, string>) =>
      Array.fromAsync(streams.serverStream({ query: "q" }, { headers }));
    expect(await refusal(stream({}))).toEqual(missing);
    expect(await refusal(streams.clientStream((async function* () {})()))).toEqual(missing);
    const headers = await server.auth();
    expect(await users.listUsers({}, { headers })).toMatchObject({ users: [] });
    expect(await stream(headers)).toHaveLength(10);
  });

  test("a method asks for its own scope, and names it", async () => {
    await using server = await startServer();
    const { users, streams } = clients(server, protocol);
    const read = { headers: await server.auth({ scopes: ["users:read"] }) };
    const write = { headers: await server.auth({ scopes: ["users:write", "streams-not"] }) };
    const denied = (scope: string) => ({ code: "PermissionDenied", message: `missing scope ${scope}` });
    const fields = { email: "ada@example.com", name: "Ada" };
    expect(await refusal(users.createUser(fields, read))).toEqual(denied("users:write"));
    expect(await refusal(users.updateUser({ id: "x" }, read))).toEqual(denied("users:write"));
    expect(await refusal(users.deleteUser({ id: "x" }, read))).toEqual(denied("users:write"));
    expect(await refusal(users.getUser({ id: "x" }, write))).toEqual(denied("users:read"));
    expect(await refusal(users.listUsers({}, write))).toEqual(denied("users:read"));
    expect(await refusal(Array.fromAsync(streams.serverStream({ query: "q" }, write)))).toEqual(denied("streams"));
    expect((await users.createUser(fields, write)).user).toMatchObject(fields);
    expect((await users.listUsers({}, read)).users).toHaveLength(1);
  });
});

describe("a token", () => {
  const encode = (value: object) => base64url.encode(JSON.stringify(value));
  const exp = Math.floor(Date.now() / 1_000) + 3_600;

  test.each<[string, (server: TestServer) => Promise<string> | string]>([
    ["of another key", (server) => server.token({ secret: new Uint8Array(32) })],
    ["that names nobody", (server) => server.token({ subject: "" })],
    ["that is unsigned", () => new UnsecuredJWT({ sub: "x", exp, scope: "users:read" }).encode()],
    ["whose header says none", () => `${encode({ alg: "none" })}.${encode({ sub: "x", exp })}.`],
    [
      "whose payload was changed",
      async (server) => {
        const [head, , signature] = (await server.token()).split(".");
        return `${head}.${encode({ sub: "root", exp, scope: "users:read" })}.${signature}`;
      },
    ],
    ["that is no JWT", () => "abc"],
    ["that is too long", () => "a".repeat(9_000)],
  ])("%s is invalid, and the caller is not told why", async (_name, make) => {
    await using server = await startServer();
    const headers = { authorization: `Bearer ${await make(server)}` };
    expect(await refusal(clients(server).users.listUsers({}, { headers }))).toEqual(invalid);
  });

  test("needs exp", async () => {
    const secret = new Uint8Array(32).fill(7);
    await using server = await startServer({ auth: createTokenVerifier({ keys: { secret } }) });
    const sign = (jwt: SignJWT) => jwt.setProtectedHeader({ alg: "HS256" }).setSubject("x").sign(secret);
    const claims = { scope: "users:read" };
    const call = (token: string) =>
      clients(server).users.listUsers({}, { headers: { authorization: `bearer ${token}` } });
    expect(await refusal(call(await sign(new SignJWT(claims))))).toEqual(invalid);
    expect(await call(await sign(new SignJWT(claims).setExpirationTime("1h")))).toMatchObject({ users: [] });
  });

  test("is checked for issuer and audience where they are set", async () => {
    const secret = new Uint8Array(32).fill(7);
    const auth = createTokenVerifier({ keys: { secret }, issuer: "https://idp.example", audience: "rollcall" });
    await using server = await startServer({ auth });
    const call = async (issuer?: string, audience?: string) =>
      clients(server).users.listUsers({}, { headers: await server.auth({ secret, issuer, audience }) });
    expect(await call("https://idp.example", "rollcall")).toMatchObject({ users: [] });
    expect(await refusal(call("https://other.example", "rollcall"))).toEqual(invalid);
    expect(await refusal(call("https://idp.example", "other"))).toEqual(invalid);
    expect(await refusal(call())).toEqual(invalid);
  });

  test("never appears in the log, and the reason of its refusal does", async () => {
    await using server = await startServer();
    const token = await server.token({ ttlSeconds: -1 });
    await refusal(clients(server).users.listUsers({}, { headers: { authorization: `Bearer ${token}` } }));
    await until(() => server.log.find(({ msg }) => msg === "call"));
    expect(JSON.stringify(server.log)).toContain('"exp\\" claim timestamp check failed');
    expect(JSON.stringify(server.log)).not.toContain(token.split(".")[2]);
  });
});

describe("an identity provider's keys", () => {
  async function startProvider(options: { keyCooldownMs?: number } = {}) {
    const state = { keys: [] as object[], fetches: 0, isDown: false };
    const provider = createServer((_request, response) => {
      state.fetches += 1;
      response.statusCode = state.isDown ? 503 : 200;
      response.end(JSON.stringify({ keys: state.keys }));
    }).listen(0, "127.0.0.1");
    await new Promise((resolve) => provider.once("listening", resolve));
    const jwksUrl = new URL(`http://127.0.0.1:${(provider.address() as AddressInfo).port}/jwks.json`);
    const addKey = async (alg: string, kid: string) => {
      const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
      state.keys.push({ ...(await exportJWK(publicKey)), alg, kid, use: "sig" });
      return (claims: object = { scope: "users:read" }) =>
        new SignJWT({ ...claims })
          .setProtectedHeader({ alg, kid })
          .setSubject("grace")
          .setIssuer("https://idp.example")
          .setAudience("rollcall")
          .setExpirationTime("1h")
          .sign(privateKey);
    };
    const auth = createTokenVerifier({
      keys: { jwksUrl, ...options },
      issuer: "https://idp.example",
      audience: "rollcall",
    });
    return { state, addKey, auth, [Symbol.asyncDispose]: async () => void provider.close() };
  }
  const call = (server: TestServer, token: string) =>
    clients(server).users.listUsers({}, { headers: { authorization: `Bearer ${token}` } });

  test.each(["RS256", "ES256", "EdDSA"])("of %s let their tokens in", async (alg) => {
    await using provider = await startProvider();
    const sign = await provider.addKey(alg, "1");
    await using server = await startServer({ auth: provider.auth });
    expect(await call(server, await sign())).toMatchObject({ users: [] });
    expect(await until(() => server.log.find(({ msg }) => msg === "call"))).toMatchObject({ principal: "grace" });
  });

  test("are fetched again when a token names a new one, but not at every made-up name's bidding", async () => {
    await using provider = await startProvider({ keyCooldownMs: 200 });
    const signOld = await provider.addKey("ES256", "old");
    await using server = await startServer({ auth: provider.auth });
    await call(server, await signOld());
    await call(server, await signOld());
    expect(provider.state.fetches).toBe(1);
    const signNew = await provider.addKey("ES256", "new");
    const token = await signNew();
    // Refused until the cooldown is over.
    let answer: unknown;
    while (!answer) answer = await call(server, token).catch(() => undefined);
    expect(answer).toMatchObject({ users: [] });
    expect(provider.state.fetches).toBe(2);
    const { privateKey } = await generateKeyPair("ES256");
    const forged = await new SignJWT().setProtectedHeader({ alg: "ES256", kid: "?" }).sign(privateKey);
    for (let i = 0; i < 5; i++) expect(await refusal(call(server, forged))).toEqual(invalid);
    expect(provider.state.fetches).toBeLessThanOrEqual(3);
  });

  test("do not let in an HS256 token made with a public key", async () => {
    await using provider = await startProvider();
    await provider.addKey("RS256", "1");
    await using server = await startServer({ auth: provider.auth });
    const [key] = provider.state.keys;
    const forged = await new SignJWT({ scope: "users:read" })
      .setProtectedHeader({ alg: "HS256", kid: "1" })
      .setSubject("root")
      .setIssuer("https://idp.example")
      .setAudience("rollcall")
      .setExpirationTime("1h")
      .sign(new TextEncoder().encode(JSON.stringify(key)));
    expect(await refusal(call(server, forged))).toEqual(invalid);
  });

  test("that can't be had are the server's trouble, not the caller's", async () => {
    await using provider = await startProvider();
    const sign = await provider.addKey("ES256", "1");
    provider.state.isDown = true;
    await using server = await startServer({ auth: provider.auth });
    expect(await refusal(call(server, await sign()))).toMatchObject({ code: "Unavailable" });
    provider.state.isDown = false;
    expect(await call(server, await sign())).toMatchObject({ users: [] });
  });
});
