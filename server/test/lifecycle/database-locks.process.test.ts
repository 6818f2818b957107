import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { RetryInfoSchema } from "@rollcall/gen/google/rpc/error_details";
import { childEnv } from "@rollcall/testing/child-env";
import { startServer, until } from "@rollcall/testing/start-server";
import { withFolderEach } from "@rollcall/testing/test-folder";
import { expect, test } from "vitest";
import { openSqliteUserRepository } from "../../src/repository/sqlite/user-repository.ts";
import { ada, connect, failure } from "../support/connect.ts";

let path: string;
withFolderEach((folder) => {
  path = join(folder, "users.db");
});

/** Starts a process that opens the database on request. */
async function startOpener() {
  const program = join(import.meta.dirname, "support/open-database-main.ts");
  const child = spawn(process.execPath, [program, path], { env: childEnv, stdio: ["pipe", "pipe", "inherit"] });
  const exited = once(child, "exit");
  let output = "";
  child.stdout.on("data", (chunk) => {
    output += chunk;
  });
  await until(() => output.includes("here"));
  return {
    open: () => child.stdin.write("go\n"),
    output: () => output,
    async [Symbol.asyncDispose]() {
      child.stdin.end();
      await exited;
    },
  };
}

test("eight processes that open one new database at the same time all get it", async () => {
  await using stack = new AsyncDisposableStack();
  const openers = await Promise.all(Array.from({ length: 8 }, startOpener));
  for (const opener of openers) stack.use(opener);
  for (const opener of openers) opener.open();
  await until(() => openers.every(({ output }) => /opened|failed/.test(output())));
  expect(openers.map(({ output }) => output())).toEqual(openers.map(() => "here\nopened\n"));
});

test("a start waits for a process that has a new database locked, and says so", async () => {
  await using opener = await startOpener();
  const holder = new DatabaseSync(path);
  holder.exec("BEGIN IMMEDIATE");
  opener.open();
  await until(() => opener.output().includes(`waiting for another process that has ${path} locked`));
  expect(opener.output()).not.toMatch(/opened|failed/);
  holder.exec("ROLLBACK");
  holder.close();
  await until(() => opener.output().endsWith("opened\n"));
});

test("a lock that stays ends a start that has something to write, and no other", async () => {
  await openSqliteUserRepository({ path }).close();
  const holder = new DatabaseSync(path);
  holder.exec("BEGIN IMMEDIATE");
  const open = () => openSqliteUserRepository({ path, lockTimeoutMs: 300 });
  await open().close();
  holder.exec(
    "PRAGMA user_version = 1; DROP TABLE properties; DROP TABLE user_words; DROP TABLE changes; COMMIT; BEGIN IMMEDIATE",
  );
  expect(open).toThrow(/users\.db has been locked by another process for \d+ s; end that process/);
  holder.exec("ROLLBACK");
  holder.close();
  await open().close();
});

test("each write waits for another process's transaction for its own time, however many wait with it", async () => {
  const users = openSqliteUserRepository({ path });
  const insert = (number: number) => {
    const user = {
      id: `${number}`,
      email: `${number}@example.com`,
      name: "A",
      createdAtMs: 1,
      updatedAtMs: 1,
      version: 1,
    };
    return users.insert(user).then(
      () => undefined,
      (error: Error) => ({ error, atMs: performance.now() }),
    );
  };
  const holder = new DatabaseSync(path);
  holder.exec("BEGIN IMMEDIATE");
  /** Returns the last write's waiting time, as a multiple of the first write's. */
  const spread = async () => {
    const startedAtMs = performance.now();
    // These writes need more than three transactions.
    const refusals = await Promise.all(Array.from({ length: 4_000 }, (_, number) => insert(number)));
    expect(refusals.filter((refusal) => refusal?.error.message !== "database unavailable")).toEqual([]);
    const waitsMs = refusals.map((refusal) => (refusal?.atMs ?? 0) - startedAtMs);
    return Math.max(...waitsMs) / Math.min(...waitsMs);
  };
  // A busy machine may stop between the first and the last write. Only waits that add up are long every time.
  const spreads = [await spread()];
  while (Math.min(...spreads) >= 2 && spreads.length < 5) spreads.push(await spread());
  expect(Math.min(...spreads)).toBeLessThan(2);

  // A write that has tried in vain gets its turn if the lock is released in time.
  const late = insert(5_000);
  await new Promise((resolve) => setImmediate(resolve));
  holder.exec("ROLLBACK");
  holder.close();
  expect(await late).toBeUndefined();
  await users.close();
});

test("a database that another process holds is unavailable, and says when to try again", async () => {
  await using server = await startServer({ repository: openSqliteUserRepository({ path }) });
  const { users } = await connect(server);
  const holder = new DatabaseSync(path);
  holder.exec("BEGIN IMMEDIATE");
  // While a write waits for the other process, all other calls are served.
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
});
