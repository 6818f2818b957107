import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { StreamService } from "@rollcall/gen/stream/v1/stream";
import { UserService } from "@rollcall/gen/user/v1/user";
import { startServer, type TestServer, until } from "@rollcall/testing/start-server";
import { base64url, SignJWT, UnsecuredJWT } from "jose";
import { describe, expect, test } from "vitest";
import { createTokenVerifier } from "../../src/rpc/auth/token-verifier.ts";

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
  ])("%s is invalid, and the error does not say why", async (_name, make) => {
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
    expect(JSON.stringify(server.log)).toContain("token has expired");
    expect(JSON.stringify(server.log)).not.toContain(token.split(".")[2]);
  });
});
