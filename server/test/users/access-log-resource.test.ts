import { ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { UserService } from "@rollcall/gen/user/v1/user";
import { startServer, until } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";

test.each<[string, (baseUrl: string) => Transport]>([
  ["gRPC", (baseUrl) => createGrpcTransport({ baseUrl })],
  ["gRPC-Web", (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: "1.1" })],
  ["Connect", (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "1.1", useBinaryFormat: false })],
])("over %s the log says which user a write changed, or was to change", async (_protocol, connect) => {
  await using server = await startServer();
  const users = createClient(UserService, connect(server.url));
  const headers = await server.auth();
  const refused = (call: Promise<unknown>) => call.then(() => expect.fail("was not refused"), ConnectError.from);

  const ada = { email: "ada@example.com", name: "Ada", requestId: "1" };
  const { user } = await users.createUser(ada, { headers });
  const id = user?.id ?? "";
  await users.createUser(ada, { headers });
  await refused(users.createUser({ ...ada, requestId: "2" }, { headers }));
  await users.updateUser({ id, name: "Ada L." }, { headers });
  await refused(users.updateUser({ id, name: "Ada B.", etag: '"1"' }, { headers }));
  await refused(users.updateUser({ id: "nobody\u202e\n", name: "x" }, { headers }));
  await users.getUser({ id }, { headers });
  await users.listUsers({}, { headers });
  await refused(users.deleteUser({ id: "x".repeat(129) }, { headers }));
  await users.deleteUser({ id }, { headers });

  const calls = await until(() => {
    const lines = server.log.filter(({ msg }) => msg === "call");
    return lines.length >= 10 && lines;
  });
  expect(calls.map(({ method, code, resource }) => [String(method).split("/")[1], code, resource])).toEqual([
    ["CreateUser", "ok", id],
    // A repeated request changes nothing. Its answer is the user that the first one created.
    ["CreateUser", "ok", id],
    ["CreateUser", "already_exists", undefined],
    ["UpdateUser", "ok", id],
    ["UpdateUser", "aborted", id],
    ["UpdateUser", "not_found", "nobody\u202e\n"],
    ["GetUser", "ok", undefined],
    ["ListUsers", "ok", undefined],
    ["DeleteUser", "invalid_argument", undefined],
    ["DeleteUser", "ok", id],
  ]);
});

test("a resource's name is short, whatever a caller sends past the rules", async () => {
  await using server = await startServer({ validation: false });
  const users = createClient(UserService, createGrpcTransport({ baseUrl: server.url }));
  const headers = await server.auth();
  await users.deleteUser({ id: "é".repeat(10_000) }, { headers }).catch(() => {});
  const call = await until(() => server.log.find(({ msg }) => msg === "call"));
  expect(call).toMatchObject({ code: "not_found", resource: "é".repeat(128) });
});
