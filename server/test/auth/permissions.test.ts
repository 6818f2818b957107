import type { DescMethod, DescMethodStreaming, MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError, type ConnectRouter, createClient, type Transport } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { createFetchTransport } from "@rollcall/client";
import type { AuthSchema } from "@rollcall/gen/rollcall/options/v1/auth";
import { methodName } from "@rollcall/shared/method-name";
import { tableBelow } from "@rollcall/testing/docs-table";
import { authenticate, createCellTransport, protocolCells } from "@rollcall/testing/matrix";
import { describeProbe, type ProbeHandlers, ProbeService, withProbe } from "@rollcall/testing/probe-service";
import { startServer, type TestServer } from "@rollcall/testing/start-server";
import { describe, expect, test } from "vitest";
import type { AppOptions } from "../../src/app-options.ts";
import { contractPermission, SCOPES } from "../../src/rpc/auth/permissions.ts";

type Policy = MessageInitShape<typeof AuthSchema>;

/** Resolves with the end of a call that sends no message, since the gate decides before it reads one. */
async function endOf(server: TestServer, method: DescMethod, headers: Record<string, string>): Promise<ConnectError> {
  const transport = createGrpcTransport({ baseUrl: server.url });
  const nothing = (async function* () {})();
  try {
    const { message } = await transport.stream(method as DescMethodStreaming, undefined, 60_000, headers, nothing);
    for await (const _ of message);
    return new ConnectError("it succeeded", Code.Unknown);
  } catch (error) {
    return ConnectError.from(error);
  }
}

/**
 * Starts a server, and returns its methods and the forgotten ones. Nobody may call those, or everybody may although
 * neither their contract nor a table says so.
 */
async function audit({ routes, ...options }: Partial<AppOptions> = {}) {
  let router: ConnectRouter | undefined;
  await using server = await startServer({
    ...options,
    routes(mounted) {
      routes?.(mounted);
      router = mounted;
    },
  });
  const methods = router?.handlers.map(({ method }) => method) ?? [];
  const scopeless = await server.auth({ scopes: [] });
  const forgotten: string[] = [];
  for (const method of methods) {
    const name = methodName(method);
    const ofGrpc = name.startsWith("grpc.") ? "public" : undefined;
    const permission = contractPermission(method) ?? options.permissions?.[name] ?? ofGrpc;
    const isOpen = (await endOf(server, method, {})).code !== Code.Unauthenticated;
    const { rawMessage } = await endOf(server, method, scopeless);
    const isAsWritten = isOpen ? permission === "public" : rawMessage === `missing scope ${permission}`;
    if (!isAsWritten) forgotten.push(name);
  }
  return { methods: methods.map(methodName), forgotten };
}

test("every method that the server mounts has a scope in its contract, or is gRPC's own and public", async () => {
  const { methods, forgotten } = await audit();
  expect(methods).toEqual(
    expect.arrayContaining(["user.v1.UserService/GetUser", "stream.v1.StreamService/BidirectionalStream"]),
  );
  expect(forgotten).toEqual([]);
});

test("a method that is mounted without a permission is found", async () => {
  const names = ProbeService.methods.map(methodName);
  const { routes, permissions } = withProbe({});
  expect((await audit({ routes })).forgotten).toEqual(names);
  expect((await audit({ routes, permissions })).forgotten).toEqual([]);
  expect((await audit({ routes, auth: false })).forgotten).toEqual(
    expect.arrayContaining([...names, "user.v1.UserService/GetUser"]),
  );
});

test("the manual lists the scopes of the contract", () => {
  expect(tableBelow("tokens.md", "Tokens").map(([scope]) => scope)).toEqual(SCOPES.map((scope) => `\`${scope}\``));
  expect(SCOPES).toEqual(["users:read", "users:write", "streams"]);
});

const echo: ProbeHandlers = {
  unary: ({ value }) => ({ value }),
  async *serverStream({ value }) {
    yield { value };
  },
  async clientStream(requests) {
    return { value: (await Array.fromAsync(requests)).join() };
  },
  async *bidiStream(requests) {
    for await (const { value } of requests) yield { value };
  },
};

/** Resolves with the end of a call of each kind. */
async function endsBy(transport: Transport): Promise<string[]> {
  const client = createClient(ProbeService, transport);
  const messages = async function* () {
    yield { value: "a" };
  };
  const calls = [
    client.unary({ value: "a" }),
    Array.fromAsync(client.serverStream({ value: "a" })),
    client.clientStream(messages()),
    Array.fromAsync(client.bidiStream(messages())),
  ];
  return Promise.all(calls.map((call) => call.then(() => "ok", textOf)));
}

/** Resolves with the ends of calls of each kind, in each protocol, with a token that has all of Rollcall's scopes. */
async function endsInAllProtocols(server: TestServer): Promise<Record<string, string[]>> {
  const token = await server.token();
  const ends: Record<string, string[]> = {};
  for (const cell of protocolCells) {
    ends[cell.protocol] = await endsBy(await createCellTransport(server, cell));
  }
  ends.WebSocket = await endsBy(createFetchTransport({ baseUrl: server.url, interceptors: [authenticate(token)] }));
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const url = `${server.url}/${ProbeService.typeName}/Unary`;
  const byHand = [
    fetch(`${url}?encoding=json&message=%22a%22`, { headers }),
    fetch(url, { method: "POST", headers, body: '"a"' }),
  ];
  ends.curl = await Promise.all(
    byHand.map(async (answer) => ((await answer).ok ? "ok" : ((await (await answer).json()) as { code: string }).code)),
  );
  return ends;
}

function textOf(error: unknown): string {
  const { code, rawMessage } = ConnectError.from(error);
  return `${Code[code]}: ${rawMessage}`;
}

describe.each(["direct", "stock"] as const)("by the %s carrier", (rpcEngine) => {
  const { routes, permissions } = withProbe(echo);

  test("a mounted method without a permission is denied in every protocol", async () => {
    await using server = await startServer({ rpcEngine, routes });
    const all = Array(4).fill(denied);
    const ends = Object.fromEntries(protocolCells.map(({ protocol }) => [protocol, all]));
    expect(await endsInAllProtocols(server)).toEqual({
      ...ends,
      WebSocket: all,
      curl: ["permission_denied", "permission_denied"],
    });
    const lines = server.log.filter(({ msg }) => msg === "method has no permission");
    expect(lines.map(({ level, method }) => [level, method])).toEqual(
      ProbeService.methods.map((method) => ["warn", methodName(method)]),
    );
  });

  test.each<[string, Partial<AppOptions>]>([
    ["the host's code", { routes, permissions }],
    ["its contract", { routes: (router) => router.service(describeProbe(scope("streams")), echo) }],
  ])("and with one by %s it is served in every protocol", async (_source, options) => {
    await using server = await startServer({ rpcEngine, ...options });
    for (const ends of Object.values(await endsInAllProtocols(server))) expect(new Set(ends)).toEqual(new Set(["ok"]));
    expect(server.log.filter(({ msg }) => msg === "method has no permission")).toEqual([]);
  });
});

function scope(value: string): Policy {
  return { caller: { case: "scope", value } };
}

const noToken = "Unauthenticated: missing authorization token";
const denied = "PermissionDenied: method is not permitted";
const policies: [Policy, string[]][] = [
  [scope("probing"), [noToken, "PermissionDenied: missing scope probing", "ok"]],
  [{ caller: { case: "anyToken", value: true } }, [noToken, "ok", "ok"]],
  [{ caller: { case: "public", value: true } }, ["ok", "ok", "ok"]],
];
const nobody: Policy[] = [
  ...["", "public", "any token", "probing other", '"probing"'].map(scope),
  { caller: { case: "anyToken", value: false } },
  { caller: { case: "public", value: false } },
  {},
];

test.each([...policies, ...nobody.map((policy): [Policy, string[]] => [policy, [noToken, denied, denied]])])(
  "the option %j of a host's contract lets in whom it names",
  async (policy, expected) => {
    const probe = describeProbe(policy);
    await using server = await startServer({ routes: (router) => router.service(probe, echo) });
    const client = createClient(probe, createGrpcTransport({ baseUrl: server.url }));
    const scopeless = await server.auth({ scopes: [] });
    const headers = [{}, scopeless, await server.auth({ scopes: ["probing", "public", "any", "token", "other"] })];
    const ends = headers.map((each) => client.unary({}, { headers: each }).then(() => "ok", textOf));
    expect(await Promise.all(ends)).toEqual(expected);
  },
);

test.each([
  ["Rollcall's own", "user.v1.UserService/ListUsers", {}],
  [
    "a host's",
    "probe.v1.ProbeService/Unary",
    { routes: (router: ConnectRouter) => router.service(describeProbe(scope("probing")), echo) },
  ],
])("a permission in code for %s method whose contract has one stops the start", async (_whose, name, options) => {
  const start = startServer({ ...options, permissions: { [name]: "public" } });
  await expect(start).rejects.toThrow(`${name} has its permission in its contract`);
});

test("health can be closed by the host's code", async () => {
  await using server = await startServer({ permissions: { "grpc.health.v1.Health/Check": "probing" } });
  const url = `${server.url}/grpc.health.v1.Health/Check`;
  const ask = async (headers = {}) =>
    (await fetch(url, { method: "POST", body: "{}", headers: { "content-type": "application/json", ...headers } }))
      .status;
  expect(await ask()).toBe(401);
  expect(await ask(await server.auth({ scopes: ["probing"] }))).toBe(200);
});
