import type { ChildProcess } from "node:child_process";
import { randomUUID } from "node:crypto";
import { appendFileSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRollcall } from "@rollcall/client/node";
import { createLogger, openSqliteUserRepository } from "@rollcall/server";
import { rollcall } from "@rollcall/testing/run-rollcall";
import { startServer, until } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";
import { startTerminal } from "./support/terminal.ts";

/** Starts a server that reports each page before it sends it. */
async function startExport() {
  const hooks = { onPage: () => {} };
  const write = (line: string) => {
    if (line.includes('/ListUsers"')) hooks.onPage();
  };
  const repository = openSqliteUserRepository({ path: ":memory:" });
  const server = await startServer({ repository, logger: createLogger("info", { write }) });
  const folder = await mkdtempDisposable(join(tmpdir(), "rollcall-export-"));
  const token = await server.token();
  const client = createRollcall({ baseUrl: server.url, token, timeoutMs: 60_000 });
  const env = { ROLLCALL_ADDRESS: server.url, ROLLCALL_TOKEN: token };
  return {
    client,
    hooks,
    folder: folder.path,
    env,
    run: (args: readonly string[], onStart?: (child: ChildProcess) => void) => rollcall(args, { env, onStart }),
    repository,
    /** Adds users to the database, created so far apart, and returns their e-mails. */
    async seed(count: number, apartMs = 0) {
      const emails = Array.from({ length: count }, (_, index) => `user${index}@example.com`);
      await Promise.all(
        emails.map((email, index) => {
          const createdAtMs = 1_700_000_000_000 + index * apartMs;
          const user = { id: randomUUID(), email, name: "Somebody", version: 1 };
          return repository.insert({ ...user, createdAtMs, updatedAtMs: createdAtMs });
        }),
      );
      return emails;
    },
    async [Symbol.asyncDispose]() {
      await client.close();
      await folder.remove();
      await server[Symbol.asyncDispose]();
    },
  };
}

const names = ["Ada", 'Grace "Amazing" Hopper', "Turing, Alan", " spaced ", '"', "名前", "-1+2", "a''b", ",", "'=cmd"];

test.each(["csv", "jsonl"])("what users export writes as %s can be imported again, name by name", async (format) => {
  await using setup = await startExport();
  for (const [index, name] of names.entries())
    await setup.client.users.create({ email: `u${index}@example.com`, name });
  const path = join(setup.folder, `users.${format}`);
  const exported = await setup.run(["users", "export", path]);
  expect(exported).toEqual({ code: 0, stdout: `${names.length} users exported.\n`, stderr: "" });
  expect(readdirSync(setup.folder)).toEqual([`users.${format}`]);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  // The same lines go to standard output.
  const piped = await setup.run(["users", "export", "--format", format, "--json"]);
  expect(piped).toEqual({ code: 0, stdout: readFileSync(path, "utf8"), stderr: '{"exported":10}\n' });

  await using other = await startExport();
  expect((await other.run(["users", "import", path])).stdout).toBe("10 users created, 0 skipped, 0 failed.\n");
  const fields = async ({ client }: typeof setup) =>
    (await Array.fromAsync(client.users.listAll())).map(({ email, name }) => [email, name]).sort();
  expect(await fields(other)).toEqual(await fields(setup));
});

test("users export keeps to a filter, and an empty directory is an empty file", async () => {
  await using setup = await startExport();
  const path = join(setup.folder, "users.csv");
  const header = "id,email,name,created_at,updated_at,etag\n";
  expect((await setup.run(["users", "export", path])).code).toBe(0);
  expect(readFileSync(path, "utf8")).toBe(header);
  await setup.seed(12);
  expect((await setup.run(["users", "export", path, "--filter", "user1"])).stdout).toBe("3 users exported.\n");
  expect(
    readFileSync(path, "utf8")
      .match(/user\d+@/g)
      ?.sort(),
  ).toEqual(["user10@", "user11@", "user1@"]);
});

test("on a terminal, an export shows how many of the users it has", async () => {
  await using setup = await startExport();
  await setup.seed(1_500);
  const { env, folder } = setup;
  using terminal = startTerminal(["users", "export", join(folder, "users.csv")], { env, columns: 100 });
  expect(await terminal.exited()).toBe(0);
  expect(terminal.rows()).toEqual([
    expect.stringMatching(/^█{24} 100% {2}1,500 of 1,500 users {2}[\d,]+\/s {2}0s left$/),
    "1500 users exported.",
  ]);
});

test("on a terminal, an export of more users than the server counts shows about how many it has", async () => {
  await using setup = await startExport();
  await setup.seed(12_000, 1_000);
  const { env, folder, repository } = setup;
  const listEncoded = repository.listEncoded?.bind(repository);
  const isShown = Promise.withResolvers<void>();
  let answers = 0;
  setup.hooks.onPage = () => {
    answers += 1;
  };
  // The first and the last user were asked for too. The seventh page waits until the bar of six was seen.
  repository.listEncoded = async (options) => {
    if (answers === 2 + 6) await isShown.promise;
    return listEncoded?.(options);
  };
  using terminal = startTerminal(["users", "export", join(folder, "users.csv")], { env, columns: 100 });
  const bar = /^█{12}░{12} 50% {2}6,000 of about 12,000 users {2}[\d,]+\/s {2}\S+ left$/;
  await until(() => [...terminal.history].some((row) => bar.test(row)));
  isShown.resolve();
  expect(await terminal.exited()).toBe(0);
  expect(terminal.rows()).toEqual([
    expect.stringMatching(/^█{24} 100% {2}12,000 of 12,000 users {2}[\d,]+\/s {2}0s left$/),
    "12000 users exported.",
  ]);
});

test.each([
  ["csv", [1, 2, 5]],
  ["jsonl", [3, 4]],
])("an export as %s that was killed goes on when it is run again, and has everybody once", async (format, kills) => {
  await using setup = await startExport();
  const emails = await setup.seed(6_000);
  const path = join(setup.folder, `users.${format}`);
  for (const page of kills) {
    let pages = 0;
    let child: ChildProcess | undefined;
    setup.hooks.onPage = () => {
      pages += 1;
      if (pages === page) child?.kill("SIGKILL");
    };
    const { code } = await setup.run(["users", "export", path], (started) => {
      child = started;
    });
    // The control: the kill hit, and nobody can take the partial file for a complete one.
    expect(code).toBeNull();
    expect(existsSync(path)).toBe(false);
    // A kill can also leave half of a line.
    if (existsSync(`${path}.partial`)) appendFileSync(`${path}.partial`, 'half,"a line');
  }
  setup.hooks.onPage = () => {};
  const { code, stdout, stderr } = await setup.run(["users", "export", path, "--json"]);
  expect({ code, stdout }).toEqual({ code: 0, stdout: '{"exported":6000}\n' });
  // The export did not start over.
  expect(JSON.parse(stderr).resumed.exported).toBeGreaterThan(0);
  const lines = readFileSync(path, "utf8").trimEnd().split("\n");
  expect(lines).toHaveLength(emails.length + (format === "csv" ? 1 : 0));
  const found = lines.map((line) => /user\d+@example\.com/.exec(line)?.[0]).filter((email) => email !== undefined);
  expect(found.sort()).toEqual(emails.sort());
  expect(readdirSync(setup.folder)).toEqual([`users.${format}`]);
});

test("an export under changes has each user that stays exactly once", async () => {
  await using setup = await startExport();
  const emails = await setup.seed(4_000);
  const path = join(setup.folder, "users.jsonl");
  const users = await Array.fromAsync(setup.client.users.listAll());
  const leaving = users.filter((_, index) => index % 7 === 3);
  const renamed = users.filter((_, index) => index % 7 === 5);
  let changes: Promise<unknown>[] = [];
  let pages = 0;
  setup.hooks.onPage = () => {
    pages += 1;
    const some = (list: typeof users) => list.splice(0, 100);
    changes = changes.concat(
      some(leaving).map(({ id }) => setup.repository.delete(id)),
      some(renamed).map(({ id }) => setup.repository.update(id, { name: "Renamed", updatedAtMs: Date.now() })),
      [setup.client.users.create({ email: `new${pages}@example.com`, name: "New" })],
    );
  };
  const stays = new Set(emails);
  for (const { email } of leaving) stays.delete(email);
  expect((await setup.run(["users", "export", path])).code).toBe(0);
  await Promise.all(changes);
  expect(changes.length).toBeGreaterThan(200);
  const exported = readFileSync(path, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line).email);
  expect(new Set(exported).size).toBe(exported.length);
  expect(exported.filter((email) => stays.has(email)).sort()).toEqual([...stays].sort());
});

test("what an earlier export has left is never mixed with another", async () => {
  await using setup = await startExport();
  await setup.seed(3);
  const path = join(setup.folder, "users.csv");
  const leave = (state: object) => {
    writeFileSync(`${path}.partial`, "id,email\n");
    const place = { pageToken: "x", exported: 1, bytes: 9, format: "csv", filter: "", startedAtMs: 0, ...state };
    writeFileSync(`${path}.partial.json`, JSON.stringify(place));
  };
  leave({ format: "jsonl" });
  const otherFormat = await setup.run(["users", "export", path]);
  expect(otherFormat).toMatchObject({ code: 2, stderr: expect.stringContaining("an export with format jsonl") });
  leave({ filter: "ada" });
  expect(await setup.run(["users", "export", path])).toMatchObject({ code: 2, stdout: "" });
  // This token belongs to another directory.
  leave({});
  const foreign = await setup.run(["users", "export", path]);
  expect(foreign).toMatchObject({ code: 2, stderr: expect.stringContaining("that is another directory's") });
  // A state without a token, or with more than the file contains, must not be resumed.
  for (const state of [{ pageToken: "" }, { bytes: 10 }, { exported: -1 }]) {
    leave(state);
    expect(await setup.run(["users", "export", path])).toMatchObject({ code: 0, stdout: "3 users exported.\n" });
  }
  leave({});
  expect(await setup.run(["users", "export", path, "--restart"])).toMatchObject({ code: 0 });
  expect(readFileSync(path, "utf8").match(/user\d/g)).toHaveLength(3);
});

test.runIf(existsSync("/dev/null"))("an export to a device writes to it, and replaces nothing", async () => {
  await using setup = await startExport();
  await setup.seed(3);
  expect(await setup.run(["users", "export", "/dev/null"])).toMatchObject({ code: 0, stdout: "3 users exported.\n" });
  expect(statSync("/dev/null").isFile()).toBe(false);
  const folder = await setup.run(["users", "export", setup.folder]);
  expect(folder).toMatchObject({ code: 2, stderr: `rollcall: ${setup.folder} is a folder, not a file\n` });
  const nowhere = await setup.run(["users", "export", join(setup.folder, "no/users.csv")]);
  expect(nowhere).toMatchObject({ code: 2, stderr: expect.stringContaining("can't be written (ENOENT)") });
});
