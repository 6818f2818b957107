import type { ChildProcess } from "node:child_process";
import { mkdtempDisposable, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRollcall } from "@rollcall/client/node";
import { rollcall } from "@rollcall/testing/run-rollcall";
import { startServer, until } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";

async function startImport() {
  const server = await startServer();
  const folder = await mkdtempDisposable(join(tmpdir(), "rollcall-import-"));
  const token = await server.token();
  const env = { ROLLCALL_ADDRESS: server.url, ROLLCALL_TOKEN: token };
  return {
    server,
    env,
    client: createRollcall({ baseUrl: server.url, token }),
    async file(name: string, content: string) {
      const path = join(folder.path, name);
      await writeFile(path, content);
      return path;
    },
    async [Symbol.asyncDispose]() {
      await this.client.close();
      await folder.remove();
      await server[Symbol.asyncDispose]();
    },
  };
}

test("users import takes CSV and reports each bad line by its number", async () => {
  await using setup = await startImport();
  const path = await setup.file(
    "users.csv",
    `\uFEFFEmail, Name ,Team
ada@example.com,Ada,one
"grace@example.com","Hopper, Grace",two

not-an-address,Nobody,one
late@example.com,"two
lines",one
only-an-email@example.com
ada@example.com,Another Ada,one
alan@example.com,Alan,one
`,
  );
  const { code, stdout, stderr } = await rollcall(["users", "import", path], { env: setup.env });
  expect(code).toBe(1);
  expect(stdout).toBe("3 users created, 0 skipped, 4 failed.\n");
  const byLine = (a: string, b: string) => a.localeCompare(b);
  expect(
    stderr
      .split("\n")
      .filter((line) => line.startsWith("line"))
      .sort(byLine),
  ).toEqual([
    "line 5: invalid_argument: validation failed",
    "line 8: has no name",
    "line 9: already_exists: email already in use",
    "lines 6 to 7: invalid_argument: validation failed",
  ]);
  const names = (await Array.fromAsync(setup.client.users.listAll())).map(({ name }) => name);
  expect(names.sort()).toEqual(["Ada", "Alan", "Hopper, Grace"]);
});

test("users import takes JSON Lines", async () => {
  await using setup = await startImport();
  const lines = [
    '{"email":"ada@example.com","name":"Ada"}',
    "",
    "{",
    "[]",
    "7",
    '{"name":"No mail"}',
    `"${"x".repeat(70_000)}"`,
  ];
  const path = await setup.file("users.jsonl", `${lines.join("\n")}\n`);
  const { code, stdout, stderr } = await rollcall(["users", "import", path, "--json"], { env: setup.env });
  expect(code).toBe(1);
  expect(JSON.parse(stdout)).toEqual({ created: 1, skipped: 0, failed: 5 });
  const failures = stderr
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(failures).toEqual([
    { line: 3, lastLine: 3, message: "is not JSON", violations: [] },
    { line: 4, lastLine: 4, message: "has no email", violations: [] },
    { line: 5, lastLine: 5, message: "is not an object", violations: [] },
    { line: 6, lastLine: 6, message: "has no email", violations: [] },
    { line: 7, lastLine: 7, message: "is longer than 64 KiB", violations: [] },
  ]);
});

test("a stray quote loses no row, and one that is never closed is reported with all its lines", async () => {
  await using setup = await startImport();
  const path = await setup.file(
    "users.csv",
    `email,name
a@example.com,"Bro"ken
b@example.com,Five "5" Foot
c@example.com,"Ada ""A."" Lovelace"
d@example.com,"open
e@example.com,"Edsger"
f@example.com,"never
closed@example.com,x
`,
  );
  const { code, stdout, stderr } = await rollcall(["users", "import", path], { env: setup.env });
  expect({ code, stdout, stderr }).toEqual({
    code: 1,
    stdout: "4 users created, 0 skipped, 2 failed.\n",
    stderr: "line 5: has a quote that is not closed\nlines 7 to 8: the record has a quote that is not closed\n",
  });
  const names = (await Array.fromAsync(setup.client.users.listAll())).map(({ name }) => name);
  expect(names.sort()).toEqual(['"Bro"ken', 'Ada "A." Lovelace', "Edsger", 'Five "5" Foot']);
});

test("a record that is too long loses none of the rows behind it", async () => {
  await using setup = await startImport();
  const long = `long@example.com,"${"x".repeat(40_000)}\n${"x".repeat(40_000)}`;
  const path = await setup.file("users.csv", `email,name\n${long}\nada@example.com,Ada\n`);
  const result = await rollcall(["users", "import", path], { env: setup.env });
  expect(result).toEqual({
    code: 1,
    stdout: "1 user created, 0 skipped, 1 failed.\n",
    stderr: "lines 2 to 3: the record is longer than 64 KiB\n",
  });
});

test("lines are counted alike with CR LF, inside of a field too", async () => {
  await using setup = await startImport();
  const path = await setup.file("users.csv", 'email,name\r\nbad1,x\r\nz1@example.com,"a\r\nb"\r\nbad2,x\r\n');
  const { stderr } = await rollcall(["users", "import", path], { env: setup.env });
  expect(
    stderr
      .match(/^lines? .*(?=:)/gm)
      ?.map((text) => text.replace(/:.*/, ""))
      .sort(),
  ).toEqual(["line 2", "line 5", "lines 3 to 4"]);
});

test("JSON Lines end at line feeds alone and may begin with a byte order mark", async () => {
  await using setup = await startImport();
  const rows = ["Ada", "Grace"].map((name) => JSON.stringify({ email: `${name}@example.com`, name, note: "a\u2028b" }));
  const path = await setup.file("users.jsonl", `\uFEFF${rows.join("\r\n")}`);
  const result = await rollcall(["users", "import", path], { env: setup.env });
  expect(result).toEqual({ code: 0, stdout: "2 users created, 0 skipped, 0 failed.\n", stderr: "" });
});

test("a CSV without its columns' names is wrong usage", async () => {
  await using setup = await startImport();
  for (const content of ["", "ada@example.com,Ada\ngrace@example.com,Grace\n"]) {
    const path = await setup.file("users.csv", content);
    const result = await rollcall(["users", "import", path], { env: setup.env });
    expect(result).toEqual({
      code: 2,
      stdout: "",
      stderr: "rollcall: the first line of a CSV file must name the columns email and name\n",
    });
  }
});

test("an import says that it waits for its server, once", async () => {
  await using setup = await startImport();
  const path = await setup.file("users.csv", "email,name\nada@example.com,Ada\ngrace@example.com,Grace\n");
  let said: string[] | null = null;
  // A busy machine may not have tried to connect in this time.
  for (let seconds = 2; said === null && seconds < 60; seconds *= 2) {
    const args = ["users", "import", path, "--address", "http://127.0.0.1:9", "--timeout", `${seconds}s`];
    const { code, stderr } = await rollcall(args);
    expect(code).toBe(1);
    said = stderr.match(/^trying again: unavailable: .*ECONNREFUSED/gm);
  }
  expect(said).toHaveLength(1);
});

test("an import that was killed goes on when it is run again, and creates nobody twice", async () => {
  await using setup = await startImport();
  const count = 1_000;
  const rows = Array.from({ length: count }, (_, index) => `user${index}@example.com,User ${index}`);
  const path = await setup.file("users.csv", `email,name\n${rows.join("\n")}\n`);
  const created = () => setup.server.log.filter(({ method }) => String(method).endsWith("/CreateUser")).length;

  let child: ChildProcess | undefined;
  const first = rollcall(["users", "import", path], {
    env: setup.env,
    onStart(started) {
      child = started;
    },
  });
  await until(() => created() > 150);
  child?.kill("SIGKILL");
  expect((await first).code).toBeNull();
  const before = (await Array.fromAsync(setup.client.users.listAll())).length;
  expect(before).toBeGreaterThan(0);
  expect(before).toBeLessThan(count);

  const second = await rollcall(["users", "import", path], { env: setup.env });
  // On a busy machine, the server may refuse some calls for a while. The import rarely reports that.
  const stderr = expect.stringMatching(/^(trying again: unavailable: server is overloaded\n){0,9}$/);
  expect(second).toEqual({ code: 0, stdout: `${count} users created, 0 skipped, 0 failed.\n`, stderr });
  const emails = (await Array.fromAsync(setup.client.users.listAll())).map(({ email }) => email);
  expect(emails).toHaveLength(count);
  expect(new Set(emails).size).toBe(count);
});

test("Ctrl-C stops an import and says how far it came", async () => {
  await using setup = await startImport();
  const rows = Array.from({ length: 5_000 }, (_, index) => `user${index}@example.com,User ${index}`);
  const path = await setup.file("users.csv", `email,name\n${rows.join("\n")}\n`);
  const created = () => setup.server.log.filter(({ method }) => String(method).endsWith("/CreateUser")).length;
  let child: ChildProcess | undefined;
  const run = rollcall(["users", "import", path], {
    env: setup.env,
    onStart(started) {
      child = started;
    },
  });
  await until(() => created() > 200);
  child?.kill("SIGINT");
  const { code, stdout, stderr } = await run;
  expect(code).toBe(130);
  expect(stdout).toBe("");
  const [, reported] = /^rollcall: canceled: (\d+) users created, 0 skipped, 0 failed; run it again/.exec(stderr) ?? [];
  const inDirectory = (await Array.fromAsync(setup.client.users.listAll())).length;
  expect(Number(reported)).toBeGreaterThan(0);
  // Users that were being created when the import was canceled may or may not exist.
  expect(inDirectory).toBeGreaterThanOrEqual(Number(reported));
  expect(inDirectory).toBeLessThanOrEqual(Number(reported) + 64);
});

test("an import stops at a fault that is not of a line", async () => {
  await using setup = await startImport();
  const path = await setup.file("users.csv", "email,name\nada@example.com,Ada\n");
  const token = await setup.server.token({ scopes: ["users:read"] });
  const { code, stderr } = await rollcall(["users", "import", path, "--token", token], { env: setup.env });
  expect(code).toBe(1);
  expect(stderr).toContain("stopped: 0 users created, 0 skipped, 0 failed; run it again to go on\n");
  expect(stderr).toContain("rollcall: permission_denied: missing scope users:write\n");
});

test("what users list --all --json prints can be imported again; users that are there are skipped where that is asked for", async () => {
  await using setup = await startImport();
  for (const name of ["Ada", "Grace", "Alan"]) {
    await setup.client.users.create({ email: `${name.toLowerCase()}@example.com`, name });
  }
  const listed = await rollcall(["users", "list", "--all", "--json"], { env: setup.env });
  const path = await setup.file("users.jsonl", `${listed.stdout}{"email":"new@example.com","name":"New"}\n{}\n`);
  const args = ["users", "import", path, "--skip-existing"];
  expect(await rollcall(args, { env: setup.env })).toEqual({
    code: 1,
    stdout: "1 user created, 3 skipped, 1 failed.\n",
    stderr: "line 5: has no email\n",
  });
  // An import into an empty directory creates all of them.
  await using other = await startImport();
  const copied = await rollcall([...args, "--json"], { env: other.env });
  expect(JSON.parse(copied.stdout)).toEqual({ created: 4, skipped: 0, failed: 1 });

  // The control: without the option, they are failures, which the exit code shows.
  const strict = await rollcall(["users", "import", path, "--json"], { env: setup.env });
  expect(strict.code).toBe(1);
  expect(JSON.parse(strict.stdout)).toEqual({ created: 1, skipped: 0, failed: 4 });
});
