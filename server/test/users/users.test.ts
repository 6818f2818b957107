import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import http2 from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  ResourceInfoSchema,
  RetryInfoSchema,
} from "@rollcall/gen/google/rpc/error_details";
import { StreamService } from "@rollcall/gen/stream/v1/stream";
import { UserService } from "@rollcall/gen/user/v1/user";
import { startServer, type TestServer } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";
import { openSqliteUserRepository } from "../../src/repository/sqlite/user-repository.ts";

async function clients(server: TestServer) {
  const headers = await server.auth();
  const transport = createGrpcTransport({
    baseUrl: server.url,
    interceptors: [
      (next) => (request) => {
        request.header.set("authorization", headers.authorization);
        return next(request);
      },
    ],
  });
  return { users: createClient(UserService, transport), streams: createClient(StreamService, transport) };
}

async function failure(call: Promise<unknown>) {
  const error = await call.then(() => expect.fail("did not fail"), ConnectError.from);
  return {
    code: Code[error.code],
    message: error.rawMessage,
    violations: error.findDetails(BadRequestSchema).flatMap(({ fieldViolations }) => fieldViolations),
    fields: error.findDetails(BadRequestSchema).flatMap((detail) => detail.fieldViolations.map(({ field }) => field)),
    error,
  };
}

const ada = { email: "ada@example.com", name: "Ada" };

test("an empty id is named as such", async () => {
  await using server = await startServer();
  const { users } = await clients(server);
  const expected = { code: "InvalidArgument", message: "user id is required", fields: ["id"] };
  expect(await failure(users.getUser({ id: "" }))).toMatchObject(expected);
  expect(await failure(users.updateUser({ id: "" }))).toMatchObject(expected);
  expect(await failure(users.deleteUser({ id: "" }))).toMatchObject(expected);
});

test("an empty query is named as such", async () => {
  await using server = await startServer();
  const { streams } = await clients(server);
  const call = Array.fromAsync(streams.serverStream({ query: "" }));
  const expected = { code: "InvalidArgument", message: "query is required", fields: ["query"] };
  expect(await failure(call)).toMatchObject(expected);
});

test.each([
  ["no e-mail and no name", { email: "", name: "" }, ["email", "name"]],
  ["an e-mail that is none", { email: "ada@", name: "Ada" }, ["email"]],
  ["an e-mail of 255 characters", { email: `${"a".repeat(243)}@example.com`, name: "Ada" }, ["email"]],
  ["a name of 201 characters", { email: "a@example.com", name: "x".repeat(201) }, ["name"]],
  ["a blank name", { email: "a@example.com", name: "  " }, ["name"]],
  ["a name that nobody sees", { email: "a@example.com", name: "\u3000\u200b" }, ["name"]],
  ["a name that turns the text around it", { email: "a@example.com", name: "a\u202eb" }, ["name"]],
  ["a name over two lines", { email: "a@example.com", name: "a\nb" }, ["name"]],
  ["a request id with spaces", { ...ada, requestId: "a b" }, ["request_id"]],
  ["all at once", { email: "x", name: "", requestId: "ü" }, ["email", "name", "request_id"]],
])("a user with %s is refused, every violation at once", async (_name, request, fields) => {
  await using server = await startServer();
  const { users } = await clients(server);
  const { code, message, violations } = await failure(users.createUser(request));
  expect({ code, message }).toEqual({ code: "InvalidArgument", message: "validation failed" });
  expect([...new Set(violations.map(({ field }) => field))]).toEqual(fields);
  expect(violations.every(({ description }) => description !== "")).toBe(true);
});

test("what is just within the rules is taken", async () => {
  await using server = await startServer();
  const { users } = await clients(server);
  const email = `${"a".repeat(64)}@${"b".repeat(63)}.${"c".repeat(63)}.${"d".repeat(58)}.de`;
  expect(email).toHaveLength(254);
  const { user } = await users.createUser({ email, name: "é".repeat(200) });
  expect(user).toMatchObject({ email, name: "é".repeat(200) });
});

test("without validation the rules are not applied", async () => {
  await using server = await startServer({ validation: false });
  const { users } = await clients(server);
  expect(await users.createUser({ email: "x", name: "" })).toMatchObject({ user: { email: "x" } });
});

test("page sizes out of range are refused", async () => {
  await using server = await startServer();
  const { users } = await clients(server);
  for (const pageSize of [-1, 1_001]) {
    expect(await failure(users.listUsers({ pageSize }))).toMatchObject({
      code: "InvalidArgument",
      fields: ["page_size"],
    });
  }
  for (const pageSize of [0, 1, 1_000]) await users.listUsers({ pageSize });
});

test("an update mask names fields that can be changed, and they have values", async () => {
  await using server = await startServer();
  const { users } = await clients(server);
  const { user: { id } = { id: "" } } = await users.createUser(ada);
  const update = (paths: string[], fields: { email?: string; name?: string }) =>
    users.updateUser({ id, updateMask: { paths }, ...fields });
  expect(await failure(update(["created_at"], ada))).toMatchObject({
    code: "InvalidArgument",
    fields: ["update_mask"],
  });
  expect(await failure(update(["email", "name"], {}))).toMatchObject({ fields: ["email", "name"] });
  expect(await failure(update(["*"], { name: "B" }))).toMatchObject({ fields: ["email"] });
  expect((await update(["name"], { email: "ignored@example.com", name: "B" })).user).toMatchObject({
    ...ada,
    name: "B",
  });
  expect((await update(["*"], { email: "c@example.com", name: "C" })).user).toMatchObject({ name: "C" });
  const { user } = await update([], { name: "D" });
  expect(user).toMatchObject({ email: "c@example.com", name: "D" });
  expect((await update([], {})).user).toEqual(user);
  expect(await failure(users.updateUser({ id, etag: '"1"' }))).toMatchObject({ code: "Aborted" });
});

test("a user that is not there is not found, and named", async () => {
  await using server = await startServer();
  const { users } = await clients(server);
  for (const call of [
    () => users.getUser({ id: "x" }),
    () => users.updateUser({ id: "x", name: "A" }),
    () => users.deleteUser({ id: "x" }),
  ]) {
    const { code, message, error } = await failure(call());
    expect({ code, message }).toEqual({ code: "NotFound", message: "user not found" });
    expect(error.findDetails(ResourceInfoSchema)).toMatchObject([{ resourceType: "user.v1.User", resourceName: "x" }]);
  }
});

test("an e-mail is taken whatever its case, also by a change", async () => {
  await using server = await startServer();
  const { users } = await clients(server);
  await users.createUser(ada);
  const { user } = await users.createUser({ email: "grace@example.com", name: "Grace" });
  const taken = { code: "AlreadyExists", message: "email already in use" };
  const { error, ...rest } = await failure(users.createUser({ email: "ADA@example.COM", name: "Ada" }));
  expect(rest).toMatchObject(taken);
  expect(error.findDetails(ErrorInfoSchema)).toMatchObject([{ reason: "EMAIL_TAKEN", domain: "rollcall" }]);
  expect(await failure(users.updateUser({ id: user?.id ?? "", email: ada.email }))).toMatchObject(taken);
  expect((await users.updateUser({ id: user?.id ?? "", email: "GRACE@example.com" })).user?.email).toBe(
    "GRACE@example.com",
  );
});

test("a stale etag aborts a change and a removal, the user's own does not", async () => {
  await using server = await startServer();
  const { users } = await clients(server);
  const { user: first } = await users.createUser(ada);
  const id = first?.id ?? "";
  const { user: second } = await users.updateUser({ id, name: "B", etag: first?.etag ?? "" });
  const stale = { code: "Aborted", message: "user was changed by someone else" };
  for (const etag of [first?.etag ?? "", "nonsense", 'W/"2"']) {
    expect(await failure(users.updateUser({ id, name: "C", etag }))).toMatchObject(stale);
    expect(await failure(users.deleteUser({ id, etag }))).toMatchObject(stale);
  }
  expect(await users.deleteUser({ id, etag: second?.etag ?? "" })).toMatchObject({ success: true });
});

test("a page token is good for its own query alone", async () => {
  await using server = await startServer();
  const { users } = await clients(server);
  for (const name of ["a", "b", "c"]) await users.createUser({ email: `${name}@example.com`, name });
  const { nextPageToken } = await users.listUsers({ pageSize: 1 });
  expect((await users.listUsers({ pageSize: 2, pageToken: nextPageToken })).users.map(({ name }) => name)).toEqual([
    "b",
    "c",
  ]);
  await using foreign = await startServer();
  const expected = { code: "InvalidArgument", message: "invalid page token", fields: ["page_token"] };
  const changed = nextPageToken.replace(/.$/, (last) => (last === "A" ? "B" : "A"));
  expect(await failure(users.listUsers({ pageToken: nextPageToken, filter: "a" }))).toMatchObject(expected);
  for (const pageToken of ["x", changed, "=", "€"]) {
    expect(await failure(users.listUsers({ pageToken }))).toMatchObject(expected);
  }
  expect(await failure((await clients(foreign)).users.listUsers({ pageToken: nextPageToken }))).toMatchObject(expected);
});

test("a request id replays its answer, for its principal and its content alone", async () => {
  let nowMs = Date.parse("2030-01-01");
  await using server = await startServer({ now: () => nowMs, auth: false });
  const { users } = await clients(server);
  const request = { ...ada, requestId: "5d1f0b0e-0000-4000-8000-000000000001" };
  const first = await users.createUser(request);
  nowMs += 60_000;
  expect(await users.createUser(request)).toEqual(first);
  expect((await users.listUsers({})).users).toHaveLength(1);
  const reused = { code: "InvalidArgument", fields: ["request_id"] };
  expect(await failure(users.createUser({ ...request, name: "Grace" }))).toMatchObject(reused);
  await users.updateUser({ id: first.user?.id ?? "", name: "Changed" });
  expect(await users.createUser(request)).toEqual(first);
  nowMs += 24 * 60 * 60_000;
  expect(await failure(users.createUser(request))).toMatchObject({ code: "AlreadyExists" });
});

test("request ids of two principals are two", async () => {
  await using server = await startServer();
  const users = createClient(UserService, createGrpcTransport({ baseUrl: server.url }));
  const as = async (subject: string) => ({ headers: await server.auth({ subject }) });
  const { user } = await users.createUser({ ...ada, requestId: "1" }, await as("a"));
  const { user: other } = await users.createUser({ email: "b@example.com", name: "B", requestId: "1" }, await as("b"));
  expect(other?.id).not.toBe(user?.id);
});

test("a refused create is not remembered", async () => {
  await using server = await startServer();
  const { users } = await clients(server);
  const { user } = await users.createUser(ada);
  const request = { ...ada, requestId: "1" };
  expect(await failure(users.createUser(request))).toMatchObject({ code: "AlreadyExists" });
  await users.deleteUser({ id: user?.id ?? "" });
  expect(await users.createUser(request)).toMatchObject({ user: ada });
});

test("a database that another process holds is unavailable, and says when to try again", async () => {
  const folder = mkdtempSync(join(tmpdir(), "rollcall-"));
  const path = join(folder, "users.db");
  try {
    await using server = await startServer({ repository: openSqliteUserRepository({ path }) });
    const { users } = await clients(server);
    const holder = new DatabaseSync(path);
    holder.exec("BEGIN IMMEDIATE");
    // While a write waits for the other process, everything else goes on.
    const waiting = users.createUser(ada).catch(() => {});
    for (let i = 0; i < 20; i++) await users.listUsers({});
    await waiting;
    const { code, message, error } = await failure(users.createUser(ada));
    expect({ code, message }).toEqual({ code: "Unavailable", message: "database unavailable" });
    expect(error.findDetails(RetryInfoSchema)).toMatchObject([{ retryDelay: { seconds: 1n } }]);
    holder.exec("ROLLBACK");
    holder.close();
    expect(await users.createUser(ada)).toMatchObject({ user: ada });
    expect(server.log.find(({ msg }) => msg === "call failed")).toMatchObject({
      level: "warn",
      err: { type: "DatabaseUnavailableError" },
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("an unknown method is unimplemented, as gRPC's Trailers-Only: its header block ends the stream", async () => {
  await using server = await startServer();
  const session = http2.connect(server.url);
  const stream = session.request({
    ":method": "POST",
    ":path": "/user.v1.UserService/Nope",
    "content-type": "application/grpc",
  });
  const [headers, flags] = (await once(stream, "response")) as [http2.IncomingHttpHeaders, number];
  expect(headers).toMatchObject({ ":status": 200, "grpc-status": "12", "content-type": "application/grpc" });
  expect(headers["x-request-id"]).toBeDefined();
  expect(flags & http2.constants.NGHTTP2_FLAG_END_STREAM).not.toBe(0);
  session.destroy();
});

test("an id that is longer than any is refused, and not sent back", async () => {
  await using server = await startServer();
  const { users } = await clients(server);
  const expected = { code: "InvalidArgument", message: "validation failed", fields: ["id"] };
  expect(await failure(users.getUser({ id: "x".repeat(200_000) }))).toMatchObject(expected);
  expect(await failure(users.getUser({ id: "x".repeat(128) }))).toMatchObject({ code: "NotFound" });
});
