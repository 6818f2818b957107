import { createClient } from "@connectrpc/connect";
import { ErrorInfoSchema } from "@rollcall/gen/google/rpc/error_details";
import { UserService } from "@rollcall/gen/user/v1/user";
import { cells, createCellTransport, startServerFor } from "@rollcall/testing/matrix";
import { startServer } from "@rollcall/testing/start-server";
import { withParts } from "@rollcall/testing/with-parts";
import { describe, expect, test } from "vitest";
import { openSqliteUserRepository } from "../../src/repository/sqlite/user-repository.ts";
import { connect, failure } from "../support/connect.ts";
import { shorten, Watch } from "./support/watch.ts";

let count = 0;
const named = (name: string) => ({ name, email: `u${++count}@example.com` });

test.each(cells)("changes come as they are made, in their order, over $protocol, $connection", async (cell) => {
  await using server = await startServerFor(cell);
  const users = createClient(UserService, await createCellTransport(server, cell));
  const { user: existing } = await users.createUser(named("Existing"));
  await using watch = new Watch(users);
  expect(await watch.take(1)).toEqual(["synced"]);
  const { user } = await users.createUser(named("Ada"));
  const { user: updated } = await users.updateUser({ id: user?.id ?? "", name: "Ada Lovelace" });
  await users.deleteUser({ id: existing?.id ?? "" });
  const events = [await watch.next(), await watch.next(), await watch.next()];
  expect(events.map(({ event }) => event)).toMatchObject([
    { case: "created", value: user },
    { case: "updated", value: updated },
    { case: "removed", value: { id: existing?.id } },
  ]);
  expect(new Set(events.map(({ changeId }) => changeId)).size).toBe(3);
  expect(new Set(events.map(({ resumeToken }) => resumeToken)).size).toBe(3);
});

test("a stream goes on behind any of its events, and nothing is missing or doubled", async () => {
  await using server = await startServer();
  const { users } = await connect(server);
  await using watch = new Watch(users);
  const events = [await watch.next()];
  for (let index = 0; index < 5; index++) await users.createUser(named(`N${index}`));
  for (let index = 0; index < 5; index++) events.push(await watch.next());
  for (const [index, { resumeToken }] of events.entries()) {
    await using next = new Watch(users, { resumeToken });
    const rest = events.slice(index + 1);
    expect(await next.take(rest.length + 1)).toEqual([...rest.map(shorten), "synced"]);
  }
});

test("existing users come once first, then synced, then changes", async () => {
  await using server = await startServer();
  const { users } = await connect(server);
  for (let index = 0; index < 3; index++) await users.createUser(named(`N${index}`));
  await using watch = new Watch(users, { includeExisting: true });
  expect(await watch.take(4)).toEqual(["created N0", "created N1", "created N2", "synced"]);
  await users.createUser(named("later"));
  expect(await watch.take(1)).toEqual(["created later"]);
  // With a token, only new changes arrive.
  await using next = new Watch(users, { includeExisting: true, resumeToken: watch.token });
  expect(await next.take(1)).toEqual(["synced"]);
});

test("a filter shows who begins to match as created, and who no longer does as removed", async () => {
  await using server = await startServer();
  const { users } = await connect(server);
  const create = async (name: string) => (await users.createUser(named(name))).user?.id ?? "";
  const [ada, bob] = [await create("Ada King"), await create("Bob King")];
  await using watch = new Watch(users, { filter: "KING ad", includeExisting: true });
  expect(await watch.take(2)).toEqual(["created Ada King", "synced"]);
  const rename = (id: string, name: string) => users.updateUser({ id, name });
  await rename(bob, "Adam King");
  await rename(bob, "Adam Kingsley");
  await rename(bob, "Bob");
  await rename(bob, "Robert");
  await rename(ada, "Ada K");
  await users.deleteUser({ id: ada });
  await users.deleteUser({ id: bob });
  await create("Adele King");
  expect(await watch.take(5)).toEqual([
    "created Adam King",
    "updated Adam Kingsley",
    `removed ${bob}`,
    `removed ${ada}`,
    "created Adele King",
  ]);
  // A token is bound to the meaning of its filter, not to its text.
  await using next = new Watch(users, { filter: "ada king", resumeToken: "" });
  expect(await next.take(1)).toEqual(["synced"]);
  await using same = new Watch(users, { filter: "ad king", resumeToken: watch.token });
  expect(await same.take(1)).toEqual(["synced"]);
  const wrong = new Watch(users, { filter: "bob", resumeToken: watch.token });
  expect(await failure(wrong.next())).toMatchObject({ code: "InvalidArgument", fields: ["resume_token"] });
});

test("progress comes while nothing concerns the watcher, and moves its token on, past what is trimmed", async () => {
  const repository = openSqliteUserRepository({ path: ":memory:" });
  await using server = await startServer({ repository, changes: { progressIntervalMs: 40 } });
  const { users } = await connect(server);
  await using watch = new Watch(users, { filter: "nobody" });
  expect(await watch.take(1)).toEqual(["synced"]);
  const { token } = watch;
  await users.createUser(named("Ada"));
  while (watch.token === token) expect(await watch.take(1)).toEqual(["progress"]);
  await repository.changes.trim({ notBeforeMs: Number.MAX_SAFE_INTEGER, maxCount: 1, limit: 100 });
  await using next = new Watch(users, { filter: "nobody", resumeToken: watch.token });
  expect(await next.take(2)).toEqual(["synced", "progress"]);
  // The control: without the progress, it would have missed a change that is no longer kept.
  const old = new Watch(users, { filter: "nobody", resumeToken: token });
  expect(await failure(old.next())).toMatchObject({ code: "OutOfRange" });
});

describe("a resume token", () => {
  test("that is none is invalid", async () => {
    await using server = await startServer();
    const { users } = await connect(server);
    for (const includeExisting of [false, true]) {
      const watch = new Watch(users, { resumeToken: "nonsense", includeExisting });
      const refused = { code: "InvalidArgument", message: "invalid resume token", fields: ["resume_token"] };
      expect(await failure(watch.next())).toMatchObject(refused);
    }
  });

  test("whose changes are gone is out of range, or begins anew with existing users", async () => {
    const repository = openSqliteUserRepository({ path: ":memory:" });
    await using server = await startServer({ repository });
    const { users } = await connect(server);
    await using watch = new Watch(users);
    await watch.next();
    const { token: first } = watch;
    const { user } = await users.createUser(named("Ada"));
    await watch.next();
    const { token: second } = watch;
    await users.createUser(named("Bob"));
    await users.deleteUser({ id: user?.id ?? "" });
    await watch.take(2);
    // The last change is a removal, after which the log is empty.
    await repository.changes.trim({ notBeforeMs: Number.MAX_SAFE_INTEGER, maxCount: 1, limit: 100 });
    for (const resumeToken of [first, second]) {
      const { error, ...rest } = await failure(new Watch(users, { resumeToken }).next());
      expect(rest).toMatchObject({ code: "OutOfRange", message: "resume token is too old: begin without one" });
      expect(error.findDetails(ErrorInfoSchema)).toMatchObject([{ reason: "RESUME_TOKEN_TOO_OLD" }]);
      await using anew = new Watch(users, { resumeToken, includeExisting: true });
      expect(await anew.take(3)).toEqual(["reset", "created Bob", "synced"]);
    }
    // The control: the last token has missed nothing.
    await using last = new Watch(users, { resumeToken: watch.token });
    expect(await last.take(1)).toEqual(["synced"]);
  });

  test("of another database is told apart from a wrong one", async () => {
    await using server = await startServer();
    await using other = await startServer();
    const { users } = await connect(server);
    const { users: others } = await connect(other);
    await others.createUser(named("Other"));
    await using watch = new Watch(users);
    await watch.next();
    const { token: resumeToken } = watch;
    const { error, code } = await failure(new Watch(others, { resumeToken }).next());
    expect(code).toBe("OutOfRange");
    expect(error.findDetails(ErrorInfoSchema)).toMatchObject([{ reason: "RESUME_TOKEN_OF_OTHER_DATABASE" }]);
    await using anew = new Watch(others, { resumeToken, includeExisting: true });
    expect(await anew.take(3)).toEqual(["reset", "created Other", "synced"]);
  });
});

test("a stopping server ends watchers at once, as unavailable, and the next one goes on behind", async () => {
  const repository = withParts(openSqliteUserRepository({ path: ":memory:" }), { close: async () => {} });
  const first = await startServer({ repository, shutdownGraceMs: 60_000 });
  const { users } = await connect(first);
  const watch = new Watch(users);
  await watch.next();
  const rest = failure(watch.next());
  await first.app.close();
  expect(await rest).toMatchObject({ code: "Unavailable", message: "server is shutting down" });
  await using second = await startServer({ repository });
  const { users: later } = await connect(second);
  await later.createUser(named("Ada"));
  await using next = new Watch(later, { resumeToken: watch.token });
  expect(await next.take(2)).toEqual(["created Ada", "synced"]);
});

test("a history has who changed what, the latest first, in pages", async () => {
  await using server = await startServer();
  const { users } = await connect(server);
  await using watch = new Watch(users);
  await watch.next();
  const { user: created } = await users.createUser(named("Ada"));
  const id = created?.id ?? "";
  const { user: updated } = await users.updateUser(
    { id, name: "Ada Lovelace" },
    { headers: await server.auth({ subject: "grace" }) },
  );
  await users.deleteUser({ id });
  const ids = [await watch.next(), await watch.next(), await watch.next()].map(({ changeId }) => changeId);
  const { changes, nextPageToken } = await users.getUserHistory({ id });
  expect(nextPageToken).toBe("");
  expect(changes.map(({ id }) => id)).toEqual(ids.toReversed());
  expect(changes.map(({ changedBy, before, after }) => ({ changedBy, before, after }))).toEqual([
    { changedBy: "tester", before: updated, after: undefined },
    { changedBy: "grace", before: created, after: updated },
    { changedBy: "tester", before: undefined, after: created },
  ]);
  const first = await users.getUserHistory({ id, pageSize: 2 });
  const second = await users.getUserHistory({ id, pageSize: 2, pageToken: first.nextPageToken });
  expect([...first.changes, ...second.changes]).toEqual(changes);
  expect(second.nextPageToken).toBe("");
  const foreign = users.getUserHistory({ id: "another", pageToken: first.nextPageToken });
  expect(await failure(foreign)).toMatchObject({ code: "InvalidArgument", fields: ["page_token"] });
  expect((await users.getUserHistory({ id: "nobody" })).changes).toEqual([]);
  expect(await failure(users.getUserHistory({ id: "" }))).toMatchObject({ message: "user id is required" });
});
