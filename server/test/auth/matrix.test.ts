/**
 * Each method of the descriptors, with each scope, in each protocol, by each spelling of its path. Only a method's own
 * scope lets a call in.
 */
import type { DescMethod } from "@bufbuild/protobuf";
import { StreamService } from "@rollcall/gen/stream/v1/stream";
import { UserService } from "@rollcall/gen/user/v1/user";
import { methodName } from "@rollcall/shared/method-name";
import { type Connection, connections } from "@rollcall/testing/matrix";
import { rawCall } from "@rollcall/testing/raw/call";
import { HALF_CLOSE, openSocket } from "@rollcall/testing/raw/web-socket";
import { startServer, type TestServer } from "@rollcall/testing/start-server";
import { afterAll, beforeAll, expect, test } from "vitest";
import { contractPermission, SCOPES } from "../../src/rpc/auth/permissions.ts";

const methods = [...UserService.methods, ...StreamService.methods];

/** Other spellings of a path, which routers and proxies may treat as the same. */
const spellings: Readonly<Record<string, (path: string) => string>> = {
  "with an escape": (path) => path.replace("Service/", "%53ervice/").replace("%53ervice", "Servic%65"),
  "with an escaped slash": (path) => path.replace("Service/", "Service%2F"),
  "with two slashes": (path) => path.replace("Service/", "Service//"),
  "with a dot": (path) => path.replace("Service/", "Service/./"),
  "by a way around": (path) => `/healthz/..${path}`,
  "in lower case": (path) => path.toLowerCase(),
  "with a slash behind it": (path) => `${path}/`,
  "with a query": (path) => `${path}?x=/healthz`,
  "with a parameter": (path) => `${path};x=1`,
};

interface Way {
  readonly way: string;
  readonly connection: Connection;
  contentTypeFor(method: DescMethod): string;
}

const ways: readonly Way[] = [
  { way: "gRPC", connection: connections.h2c, contentTypeFor: () => "application/grpc" },
  { way: "gRPC-Web", connection: connections.http1, contentTypeFor: () => "application/grpc-web+proto" },
  {
    way: "Connect",
    connection: connections.h2c,
    contentTypeFor: ({ methodKind }) => (methodKind === "unary" ? "application/proto" : "application/connect+proto"),
  },
];
/** Cells of the matrix. HTTP/1.1 has no bidirectional streams; `refusals.test.ts` requests one. */
const cells = ways.flatMap((way) =>
  methods
    .filter(({ methodKind }) => way.connection.httpVersion === "2" || methodKind !== "bidi_streaming")
    .map((method) => ({ ...way, method })),
);

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.app.close());

/** Returns no token, and a token with all scopes except the method's. */
async function strangersTo(method: DescMethod): Promise<string[]> {
  const others = SCOPES.filter((scope) => scope !== contractPermission(method));
  const { authorization } = await server.auth({ scopes: [...others, "users", "admin", "*"] });
  return ["", authorization];
}

test.each(cells)("over $way, $method.parent.typeName/$method.name takes its own scope alone", async (cell) => {
  const { method, connection, contentTypeFor } = cell;
  const contentType = contentTypeFor(method);
  // An empty message. It is in an envelope, except in unary calls of Connect.
  const body = Buffer.alloc(contentType === "application/proto" ? 0 : 5);
  const codeOf = async (authorization: string, spell = (path: string) => path, more = {}) => {
    const path = spell(`/${methodName(method)}`);
    const headers = { "content-type": contentType, te: "trailers", authorization, ...more };
    return (await rawCall(server, connection, { path, headers, body })).code;
  };
  const refusals = ["unauthenticated", "permission_denied", "unimplemented"];
  const { authorization } = await server.auth({ scopes: [contractPermission(method) ?? ""] });
  const strangers = await strangersTo(method);
  expect(await Promise.all(strangers.map((who) => codeOf(who)))).toEqual(["unauthenticated", "permission_denied"]);
  // The control: an empty message is answered by its rules or by the handler. A watch ends only by its deadline.
  const deadline = contentType.includes("grpc") ? { "grpc-timeout": "200m" } : { "connect-timeout-ms": "200" };
  expect(refusals).not.toContain(await codeOf(authorization, undefined, deadline));
  for (const [name, spell] of Object.entries(spellings)) {
    for (const who of strangers) expect(refusals, name).toContain(await codeOf(who, spell));
  }
});

test.each(methods)("over a WebSocket, $parent.typeName/$name takes its own scope alone", async (method) => {
  const call = async (authorization: string, spell = (path: string) => path) => {
    const { ws, outcome, closed } = openSocket(server, { path: spell(`/${methodName(method)}`) });
    const refused = await outcome;
    if (refused !== "open") return refused;
    ws.send(Buffer.from(`content-type: application/grpc-web+proto\r\n${authorization}`));
    ws.send(HALF_CLOSE);
    return (await closed).status;
  };
  const [, stranger = ""] = await strangersTo(method);
  const strangers = ["", `authorization: ${stranger}\r\n`];
  expect(await Promise.all(strangers.map((who) => call(who)))).toEqual([16, 7]);
  for (const [name, spell] of Object.entries(spellings)) {
    for (const who of strangers) expect([400, 404, 16, 7], name).toContain(await call(who, spell));
  }
});
