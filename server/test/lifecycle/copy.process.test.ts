import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { createRollcall } from "@rollcall/client/node";
import { openSqliteUserRepository } from "@rollcall/server";
import { rollcallServer } from "@rollcall/testing/run-server-command";
import { sharedPostgres } from "@rollcall/testing/shared-postgres";
import { startProcess } from "@rollcall/testing/start-process";
import { expect, test } from "vitest";

function makeFolder() {
  const path = mkdtempSync(join(tmpdir(), "rollcall-copy-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}

/** Returns all rows that a copy must keep. */
function rowsOf(path: string) {
  using database = new DatabaseSync(path, { readOnly: true });
  const all = (sql: string) => database.prepare(sql).all();
  return {
    users: all("SELECT id, email, email_key, name, created_at_ms, updated_at_ms, version FROM users ORDER BY id"),
    requests: all("SELECT * FROM create_requests ORDER BY principal, request_id"),
    secrets: all("SELECT * FROM secrets"),
    changes: all("SELECT user_id, changed_at_ms, changed_by, before, after FROM changes ORDER BY id"),
  };
}

test("copy moves users, request ids, changes and the key of page tokens, from under a running server", async () => {
  using folder = makeFolder();
  const live = join(folder.path, "live");
  const moved = join(folder.path, "moved");
  const [from, to] = [join(live, "users.db"), join(moved, "users.db")];
  await using server = await startProcess({ folder: live });
  await using client = createRollcall({ baseUrl: server.url, token: server.token, timeoutMs: 60_000 });
  const ids: string[] = [];
  for (const [index, name] of ["Ada", "Grace", "名前", 'Alan "T"', "Edsger"].entries()) {
    ids.push((await client.users.create({ email: `U${index}@example.com`, name, requestId: `r${index}` })).id);
  }
  await client.users.update(ids[1] ?? "", { name: "Grace Hopper" });
  await client.users.delete(ids[4] ?? "");
  const { nextPageToken } = await client.users.list({ pageSize: 2 });

  // The source is a URL. The target is the name of a variable with one.
  const copied = await rollcallServer(["copy", `sqlite:${from}`, "TARGET"], { env: { TARGET: `sqlite:${to}` } });
  expect(copied).toMatchObject({ code: 0, stderr: "reading them back\n" });
  expect(copied.stdout).toMatch(
    /^4 users, 5 request ids and 7 changes copied and read back; SHA-256 .*: [0-9a-f]{64}\n$/,
  );
  expect(rowsOf(to)).toEqual(rowsOf(from));

  await using second = await startProcess({ folder: moved });
  await using other = createRollcall({ baseUrl: second.url, token: second.token, timeoutMs: 60_000 });
  expect(await Array.fromAsync(other.users.listAll())).toEqual(await Array.fromAsync(client.users.listAll()));
  const next = await other.users.list({ pageSize: 2, pageToken: nextPageToken });
  expect(next.users.map(({ id }) => id)).toEqual(ids.slice(2, 4));
  expect((await other.users.create({ email: "U0@example.com", name: "Ada", requestId: "r0" })).id).toBe(ids[0]);
  const found = await other.users.list({ filter: "grace h" });
  expect(found.users.map(({ id }) => id)).toEqual([ids[1]]);
  for (const id of ids) {
    // The changes are the same except their ids, which belong to one log only.
    const history = async (by: typeof client) => (await by.users.history(id)).changes.map(({ id: _, ...rest }) => rest);
    const changes = await history(other);
    expect(changes).toEqual(await history(client));
    expect(changes.length).toBeGreaterThan(0);
  }

  // Nothing is copied into a directory with users.
  const again = await rollcallServer(["copy", `sqlite:${from}`, `sqlite:${to}`]);
  expect(again).toMatchObject({ code: 1, stdout: "" });
  expect(again.stderr).toBe(
    "rollcall-server: the target has 4 users, 5 request ids and 7 changes: copy into an empty one\n",
  );
});

test("a copy that is killed has copied nothing, and is simply run again", async () => {
  using folder = makeFolder();
  const from = join(folder.path, "from.db");
  const repository = openSqliteUserRepository({ path: from });
  const times = { createdAtMs: 1, updatedAtMs: 1, version: 3 };
  const adds = Array.from({ length: 12_000 }, (_, index) =>
    repository.insert({ id: randomUUID(), email: `u${index}@example.com`, name: `User ${index}`, ...times }),
  );
  await Promise.all(adds);
  await repository.close();
  const count = (path: string) => {
    using database = new DatabaseSync(path);
    return database.prepare("SELECT count(*) AS count FROM users").get()?.count;
  };
  // The copy writes its last line before the commit, while the transaction holds all users. On a busy machine, the
  // commit can come before the kill: then the copy is complete, and another one is killed.
  const kill = async (attempt: number): Promise<string> => {
    const to = join(folder.path, `to-${attempt}.db`);
    const killed = await rollcallServer(["copy", `sqlite:${from}`, `sqlite:${to}`], {
      onStart: (child) => child.stderr?.once("data", () => child.kill("SIGKILL")),
    });
    expect(killed.stderr).toBe("reading them back\n");
    if (count(to) === 12_000) return kill(attempt + 1);
    expect(killed).toMatchObject({ code: null, stdout: "" });
    return to;
  };
  const to = await kill(1);
  expect(count(to)).toBe(0);
  const second = await rollcallServer(["copy", `sqlite:${from}`, `sqlite:${to}`]);
  expect(second).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^12,000 users, 0 request ids and 12,000 changes copied/),
  });
  expect(count(to)).toBe(12_000);
  expect(rowsOf(to).users).toEqual(rowsOf(from).users);
});

test("copy moves a directory to PostgreSQL and back, and leaves one with users alone", async () => {
  using folder = makeFolder();
  const postgres = await sharedPostgres();
  const [from, back] = [join(folder.path, "from.db"), join(folder.path, "back.db")];
  const repository = openSqliteUserRepository({ path: from });
  const key = { principal: "ada", requestHash: "h", notBeforeMs: 0 };
  const times = { createdAtMs: 1, updatedAtMs: 2, version: 3 };
  const adds = Array.from({ length: 2_500 }, (_, index) =>
    repository.insert(
      { id: randomUUID(), email: `U${index}@example.com`, name: `名前 ${index}`, ...times },
      index % 3 === 0 ? { ...key, requestId: `${index}` } : undefined,
    ),
  );
  const [first, second] = await Promise.all(adds);
  await repository.update(first?.id ?? "", { updatedAtMs: 9 }, undefined, { subject: "grace", atMs: 9 });
  await repository.delete(second?.id ?? "", undefined, { subject: "alan", atMs: 10 });
  await repository.close();
  const env = { TARGET: await postgres.createSchema() };
  const there = await rollcallServer(["copy", `sqlite:${from}`, "TARGET"], { env });
  expect(there).toMatchObject({ code: 0, stderr: "reading them back\n" });
  expect(there.stdout).toMatch(/^2,499 users, 834 request ids and 2,502 changes copied and read back/);
  expect(await rollcallServer(["copy", "TARGET", `sqlite:${back}`], { env })).toMatchObject({ code: 0 });
  expect(rowsOf(back)).toEqual(rowsOf(from));
  const words = "SELECT count(*)::int AS count FROM user_words";
  expect(await postgres.query(words, env.TARGET)).toEqual([{ count: 2_499 * 5 }]);
  const again = await rollcallServer(["copy", `sqlite:${from}`, "TARGET"], { env });
  expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining("the target has 2,499 users") });
  const backup = await rollcallServer(["backup", join(folder.path, "x")], { env: { DATABASE_URL: env.TARGET } });
  expect(backup).toMatchObject({ code: 1, stderr: expect.stringContaining("by pg_dump and pg_restore") });
});
