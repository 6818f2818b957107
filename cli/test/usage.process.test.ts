import { execFile } from "node:child_process";
import { mkdtempDisposable, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";
import { childEnv } from "@rollcall/testing/child-env";
import { rollcall, rollcallInside } from "@rollcall/testing/run-rollcall";
import { startServer } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";
import { startSignedIn } from "./support/start-signed-in.ts";

test("wrong usage is exit code 2", async () => {
  await using signedIn = await startSignedIn();
  const { run } = signedIn;
  const wrong = [
    [],
    ["nothing"],
    ["users"],
    ["users", "get"],
    ["users", "create", "--email", "ada@example.com"],
    ["users", "list", "--page-size", "0"],
    ["users", "list", "--all", "--page-token", "x"],
    ["users", "update", "x"],
    ["users", "list", "--protocol", "soap"],
    ["users", "list", "--timeout", "soon"],
    ["users", "list", "--timeout", "30d"],
    ["users", "list", "--address", "nowhere"],
    ["users", "list", "--address", `${signedIn.server.url}?x`],
    ["users", "list", "--address", `${signedIn.server.url}//`],
    ["users", "list", "--address", `${signedIn.server.url},${signedIn.server.url}#x`],
    ["users", "list", "--ca", "/does/not/exist"],
    ["users", "import", import.meta.filename],
    ["token", "mint", "--sub", "me"],
  ];
  const results = await Promise.all(wrong.map((args) => run(args)));
  for (const [index, { code, stderr }] of results.entries()) {
    expect({ args: wrong[index], code }).toEqual({ args: wrong[index], code: 2 });
    expect(stderr).not.toBe("");
  }
  // The process ends with that code.
  expect(await rollcall([])).toMatchObject({ code: 2 });
});

test("a file that can't be read is wrong usage, in words", async () => {
  await using signedIn = await startSignedIn();
  await using folder = await mkdtempDisposable(join(tmpdir(), "rollcall-usage-"));
  const filePath = join(folder.path, "file.csv");
  await writeFile(filePath, "");
  const unreadable = [
    [join(folder.path, "none.csv"), "does not exist"],
    [join(filePath, "none.csv"), "does not exist: a part of its path is no folder"],
    [folder.path, "is a folder, not a file"],
  ] as const;
  for (const [path, words] of unreadable) {
    for (const command of [["upload"], ["users", "import", "--format", "csv"]]) {
      const result = await signedIn.run([...command, path]);
      expect(result).toEqual({ code: 2, stdout: "", stderr: `rollcall: ${path} ${words}\n` });
    }
  }
  // Control.
  expect(await signedIn.run(["upload", filePath])).toMatchObject({ code: 0 });
});

test("every command has help", async () => {
  const commands = [
    [],
    ["users"],
    ["users", "create"],
    ["users", "get"],
    ["users", "list"],
    ["users", "update"],
    ["users", "delete"],
    ["users", "watch"],
    ["users", "history"],
    ["users", "import"],
    ["users", "export"],
    ["query"],
    ["upload"],
    ["chat"],
    ["token"],
    ["token", "mint"],
    ["call"],
    ["completion"],
    ["help"],
  ];
  const results = await Promise.all(commands.map((args) => rollcallInside([...args, "--help"])));
  for (const [index, { code, stdout }] of results.entries()) {
    expect(code).toBe(0);
    expect(stdout).toContain(["Usage: rollcall", ...(commands[index] ?? [])].join(" "));
    for (const option of ["--address", "--token", "--ca", "--http", "--protocol", "--timeout", "--json"]) {
      expect(stdout).toContain(option);
    }
  }
});

test("help says which options are required, and no empty default", async () => {
  const help = async (...args: string[]) => (await rollcallInside([...args, "--help"])).stdout.replace(/\s+/g, " ");
  expect((await help("users", "create")).match(/\(required\)/g)).toHaveLength(2);
  expect((await help("token", "mint")).match(/\(required\)/g)).toHaveLength(2);
  expect(await help("token", "mint")).toContain("users:read users:write streams (required)");
  expect(await help("users", "export")).not.toContain('(default: "")');
});

test("help shows the help of a command at any depth, and reports one that does not exist", async () => {
  const show = async (...names: string[]) => (await rollcallInside(["help", ...names])).stdout.split("\n", 1)[0];
  expect(await show()).toBe("Usage: rollcall [options] [command]");
  expect(await show("users")).toBe("Usage: rollcall users [options] [command]");
  expect(await show("users", "create")).toBe("Usage: rollcall users create [options]");
  expect(await show("token", "mint", "--json")).toBe("Usage: rollcall token mint [options]");
  expect(await show("call", "GetUser")).toBe("Usage: rollcall call [options] <method> [json...]");
  expect(await rollcall(["help", "users", "create"])).toEqual(await rollcallInside(["users", "create", "--help"]));
  expect(await rollcallInside(["help", "users", "craete"])).toEqual({
    code: 2,
    stdout: "",
    stderr: expect.stringMatching(/^error: unknown command 'craete'\n\(Did you mean create\?\)\n/),
  });
  expect(await rollcallInside(["help", "nothing", "create"])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("unknown command 'nothing'"),
  });
});

test("an unknown option is reported before a missing one", async () => {
  await using signedIn = await startSignedIn();
  const wrong: [args: string[], message: string][] = [
    [["users", "create", "--emial", "x"], "unknown option '--emial'\n(Did you mean --email?)"],
    [["users", "create", "--email", "x", "--nmae", "y"], "unknown option '--nmae'\n(Did you mean --name?)"],
    [["token", "mint", "--scop", "streams"], "unknown option '--scop'\n(Did you mean --scope?)"],
    [["users", "create", "--name", "x"], "required option '--email <address>' not specified"],
    [["token", "mint", "--sub", "me"], "required option '--scope <scopes>' not specified"],
  ];
  for (const [args, message] of wrong) {
    const asText = await signedIn.run(args);
    expect(asText).toEqual({ code: 2, stdout: "", stderr: `error: ${message}\n(add --help for what there is)\n` });
    const asJson = await signedIn.run([...args, "--json"]);
    expect(asJson).toMatchObject({ code: 2, stdout: "" });
    expect(JSON.parse(asJson.stderr)).toEqual({ error: { message, violations: [] } });
  }
});

test("the package's bin runs by itself", async () => {
  const packageDir = join(import.meta.dirname, "..");
  const { bin } = JSON.parse(await readFile(join(packageDir, "package.json"), "utf8"));
  const env = { ...childEnv, PATH: dirname(process.execPath) + delimiter + childEnv.PATH };
  const { stdout } = await promisify(execFile)(join(packageDir, bin.rollcall), ["--help"], { env });
  expect(stdout).toContain("Usage: rollcall");
});

test("an empty variable counts as not set, and a token that no header can have is wrong usage", async () => {
  await using server = await startServer();
  const env = { ROLLCALL_ADDRESS: "", ROLLCALL_TOKEN: "" };
  const refused = await rollcall(["users", "list", "--address", server.url], { env });
  expect(refused).toMatchObject({ code: 1, stderr: "rollcall: unauthenticated: missing authorization token\n" });
  const minted = await rollcallInside(["token", "mint", "--sub", "a", "--scope", "streams"], {
    env: { ...env, AUTH_SECRET: "s".repeat(32) },
  });
  expect(minted.code).toBe(0);
  for (const token of ["a b", "a\nb", "\u00e4", '"a"', "Bearer a"]) {
    const { code, stderr } = await rollcallInside(["users", "list", "--address", server.url, "--token", token]);
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: expect.stringContaining("rollcall: the token has characters"),
    });
  }
  const fromFile = { ROLLCALL_ADDRESS: server.url, ROLLCALL_TOKEN: `${await server.token()}\n` };
  expect(await rollcall(["users", "list"], { env: fromFile })).toMatchObject({ code: 0 });
});

test("no error repeats a token, wherever a person has put it", async () => {
  const token = "eyJhbGciOiJIUzI1NiJ9.secret.signature";
  const wrong: [args: string[], said: string][] = [
    [["users", "list", "--token", `Bearer ${token}`], "the token has characters"],
    [["users", "list", `--tokne=${token}`], "unknown option '--tokne=eyJ…'"],
    [[token], "unknown command 'eyJ…'"],
    [["users", "list", "--timeout", token], "eyJ…"],
    [["users", "list", "--address", `localhost/#token=${token}`], "must not have a fragment"],
    [["token", "mint", "--sub", "a", "--scope", token], "eyJ…"],
  ];
  for (const [args, said] of wrong) {
    for (const json of [[], ["--json"]]) {
      const { code, stdout, stderr } = await rollcallInside([...args, ...json]);
      expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
      expect(stderr).toContain(said);
      expect(stderr).not.toContain("secret");
    }
  }
  const { code, stderr } = await rollcall(["users", "list"], { env: { ROLLCALL_TOKEN: `${token}\nx` } });
  expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringMatching(/^rollcall: the token has characters/) });
  expect(stderr).not.toContain("secret");
});

test("an invalid address is wrong usage, in words and without its secrets", async () => {
  const [query, secret] = await Promise.all([
    rollcall(["users", "list"], { env: { ROLLCALL_ADDRESS: "http://localhost:8080?team=1" } }),
    rollcall(["users", "list", "--address", "https://ada:hunter2@localhost"]),
  ]);
  expect(query).toEqual({
    code: 2,
    stdout: "",
    stderr: 'rollcall: the address "http://localhost:8080…" must not have a query, which begins with ?\n',
  });
  expect(secret).toMatchObject({ code: 2, stderr: expect.stringContaining("must not have a user name or password") });
  expect(secret.stderr).not.toContain("hunter2");
});

test("wrong usage is JSON too where that is asked for", async () => {
  const wrong = [
    ["users", "get", "--json"],
    ["--json", "users"],
    ["nothing", "--json"],
    ["users", "list", "--timeout", "soon", "--json"],
  ];
  for (const args of wrong) {
    const { code, stdout, stderr } = await rollcallInside(args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(JSON.parse(stderr)).toEqual({ error: { message: expect.stringMatching(/\w/), violations: [] } });
  }
});

test("--version prints the package's", async () => {
  const { version } = JSON.parse(await readFile(join(import.meta.dirname, "../../client/package.json"), "utf8"));
  expect(await rollcall(["--version"])).toEqual({ code: 0, stdout: `${version}\n`, stderr: "" });
});
