import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdtempDisposable, readdir, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { PassThrough } from "node:stream";
import { promisify } from "node:util";
import { createTokenVerifier, loadDevelopmentKey } from "@rollcall/server";
import { childEnv } from "@rollcall/testing/child-env";
import { rollcall, rollcallInside } from "@rollcall/testing/run-rollcall";
import { startServer, until } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";
import { runCommandLine } from "../src/run.ts";

const UUID = "[0-9a-f-]{36}";

async function startWithCommands() {
  const server = await startServer();
  const env = { ROLLCALL_ADDRESS: server.url, ROLLCALL_TOKEN: await server.token() };
  const globals = ["--address", env.ROLLCALL_ADDRESS, "--token", env.ROLLCALL_TOKEN];
  return {
    server,
    run: (args: string[], input?: string) => rollcallInside([...globals, ...args], { input }),
    env,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

const folder = () => mkdtempDisposable(join(tmpdir(), "rollcall-cli-"));

test("users are created, shown, listed, changed and removed", async () => {
  await using commands = await startWithCommands();
  const { run } = commands;
  const created = await run(["users", "create", "--email", "ada@example.com", "--name", "Ada"]);
  expect(created).toMatchObject({ code: 0, stderr: "" });
  expect(created.stdout).toMatch(new RegExp(`^${UUID}\tada@example.com\tAda\t\\d{4}-.*Z\n$`));
  const id = created.stdout.slice(0, 36);

  const shown = await run(["users", "get", id, "--json"]);
  expect(JSON.parse(shown.stdout)).toMatchObject({
    id,
    email: "ada@example.com",
    name: "Ada",
    etag: expect.any(String),
  });
  const { etag } = JSON.parse(shown.stdout);

  const changed = await run(["users", "update", id, "--name", "Ada Lovelace", "--etag", etag]);
  expect(changed.stdout).toContain("\tAda Lovelace\t");
  const stale = await run(["users", "update", id, "--name", "A.", "--etag", etag]);
  expect(stale).toMatchObject({ code: 1, stderr: "rollcall: aborted: user was changed by someone else\n" });

  expect(await run(["users", "delete", id])).toMatchObject({ code: 0, stdout: `Removed ${id}\n` });
  expect(await run(["users", "get", id])).toMatchObject({ code: 1, stderr: "rollcall: not_found: user not found\n" });
});

test("users list shows a page, or all pages, by every protocol", async () => {
  await using commands = await startWithCommands();
  const { run } = commands;
  await Promise.all([1, 2, 3].map((n) => run(["users", "create", "--email", `u${n}@example.com`, "--name", `U${n}`])));
  const page = await run(["users", "list", "--page-size", "2", "--json"]);
  const { users, nextPageToken } = JSON.parse(page.stdout);
  expect(users).toHaveLength(2);
  const rest = await run(["users", "list", "--page-token", nextPageToken]);
  expect(rest.stdout.trim().split("\n")).toHaveLength(1);
  for (const protocol of ["grpc", "grpc-web", "connect"]) {
    const all = await run(["users", "list", "--all", "--page-size", "2", "--protocol", protocol]);
    expect(all.stdout.trim().split("\n")).toHaveLength(3);
  }
  expect((await run(["users", "list", "--filter", "u3"])).stdout).toContain("u3@example.com");
});

test("a refusal is told with its code and every field, as text and as JSON", async () => {
  await using commands = await startWithCommands();
  const { run } = commands;
  const args = ["users", "create", "--email", "nobody", "--name", " "];
  const asText = await run(args);
  expect(asText.code).toBe(1);
  expect(asText.stderr).toMatch(/^rollcall: invalid_argument: validation failed\n {2}email: .+\n {2}name: .+\n$/);
  const asJson = await run([...args, "--json"]);
  expect(asJson.code).toBe(1);
  expect(JSON.parse(asJson.stderr).error).toMatchObject({
    code: "invalid_argument",
    violations: [{ field: "email" }, { field: "name" }],
  });
});

test("wrong usage is exit code 2", async () => {
  await using commands = await startWithCommands();
  const { run } = commands;
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
    ["users", "list", "--address", `${commands.server.url}?x`],
    ["users", "list", "--address", `${commands.server.url}//`],
    ["users", "list", "--address", `${commands.server.url},${commands.server.url}#x`],
    ["users", "list", "--ca", "/does/not/exist"],
    ["upload", "/does/not/exist"],
    ["upload", import.meta.dirname],
    ["users", "import", import.meta.dirname, "--format", "csv"],
    ["users", "import", "/does/not/exist.csv"],
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

test("every command has help", async () => {
  const commands = [
    [],
    ["users"],
    ["users", "create"],
    ["users", "get"],
    ["users", "list"],
    ["users", "update"],
    ["users", "delete"],
    ["users", "import"],
    ["query"],
    ["upload"],
    ["chat"],
    ["token"],
    ["token", "mint"],
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

test("the package's bin runs by itself", async () => {
  const packageDir = join(import.meta.dirname, "..");
  const { bin } = JSON.parse(await readFile(join(packageDir, "package.json"), "utf8"));
  const env = { ...childEnv, PATH: dirname(process.execPath) + delimiter + childEnv.PATH };
  const { stdout } = await promisify(execFile)(join(packageDir, bin.rollcall), ["--help"], { env });
  expect(stdout).toContain("Usage: rollcall");
});

test("a server that can't be reached is told, with exit code 1", async () => {
  const { code, stderr } = await rollcall(["users", "list", "--address", "http://127.0.0.1:9", "--timeout", "1s"]);
  expect(code).toBe(1);
  expect(stderr).toMatch(/^rollcall: unavailable: .*ECONNREFUSED/);
});

test("query and chat print what comes; chat takes a pipe", async () => {
  await using commands = await startWithCommands();
  const query = await commands.run(["query", "ada"]);
  expect(query.stdout.split("\n")).toHaveLength(11);
  expect(query.stdout).toContain("Result 9 for query: ada\n");
  expect(await commands.run(["query", ""])).toMatchObject({ code: 1 });
  const input = "Hello\nHow are you?\nGoodbye\n";
  const chat = await rollcall(["chat"], { env: commands.env, input });
  expect(chat).toEqual({ code: 0, stdout: "Echo: Hello\nEcho: How are you?\nEcho: Goodbye\n", stderr: "" });
});

test("chat splits its input at line feeds alone", async () => {
  await using commands = await startWithCommands();
  const chat = await commands.run(["chat", "--json"], "one\u2028two\rthree\r\nfour");
  const replies = chat.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line).reply);
  expect(replies).toEqual(["Echo: one\u2028two\rthree", "Echo: four"]);
  const tooLong = await commands.run(["chat"], "x".repeat(4 * 1_024 ** 2 + 1));
  expect(tooLong).toEqual({ code: 2, stdout: "", stderr: "rollcall: line 1 of the input is longer than 4 MiB\n" });
});

test("chat ends when the server does, though its input stays open", async () => {
  await using commands = await startWithCommands();
  const { env, server } = commands;
  const chat = await rollcall(["chat"], {
    env,
    onStart(child) {
      child.stdin?.write("Hello\n");
      child.stdout?.once("data", () => void server.app.close());
    },
  });
  expect(chat).toMatchObject({ code: 1, stdout: "Echo: Hello\n", stderr: expect.stringContaining("unavailable") });
});

test("upload sends a file and prints its checksum", async () => {
  await using commands = await startWithCommands();
  await using dir = await folder();
  const path = join(dir.path, "file");
  const bytes = Buffer.alloc(1_000_000, "rollcall ");
  await writeFile(path, bytes);
  const checksum = createHash("sha256").update(bytes).digest("hex");
  const asText = await commands.run(["upload", path]);
  expect(asText).toEqual({ code: 0, stdout: `${checksum}  1000000 bytes  ${path}\n`, stderr: "" });
  const asJson = await commands.run(["upload", path, "--json"]);
  expect(JSON.parse(asJson.stdout)).toEqual({ totalBytes: 1_000_000, checksum });
});

test("token mint signs with AUTH_SECRET, or with the development key beside the database", async () => {
  await using dir = await folder();
  const args = ["token", "mint", "--sub", "ada", "--scope", "users:read streams", "--ttl", "2h"];
  const secret = "0123456789abcdef0123456789abcdef";
  const withSecret = await rollcallInside(args, {
    env: { AUTH_SECRET: secret, AUTH_ISSUER: "me", AUTH_AUDIENCE: "you" },
  });
  const keys = { secret: new TextEncoder().encode(secret) };
  const verify = createTokenVerifier({ keys, issuer: "me", audience: "you" });
  const principal = await verify(withSecret.stdout.trim());
  expect(principal).toMatchObject({ subject: "ada", scopes: new Set(["users:read", "streams"]) });
  expect(principal.expiresAtMs - Date.now()).toBeGreaterThan(7_100_000);

  const noKey = await rollcallInside(args, { env: { DATABASE_URL: `sqlite:${dir.path}/rollcall.db` } });
  expect(noKey).toMatchObject({ code: 2, stderr: expect.stringContaining("development.key") });
  expect(await readdir(dir.path)).toEqual([]);
  const key = loadDevelopmentKey(join(dir.path, "development.key"));
  const withKey = await rollcallInside([...args, "--json"], {
    env: { DATABASE_URL: `sqlite:${dir.path}/rollcall.db` },
  });
  const { token } = JSON.parse(withKey.stdout);
  expect(await createTokenVerifier({ keys: { secret: key } })(token)).toMatchObject({ subject: "ada" });

  const inMemory = await rollcallInside(args, { env: { DATABASE_URL: "sqlite::memory:" } });
  expect(inMemory).toMatchObject({ code: 2, stderr: expect.stringContaining("set AUTH_SECRET") });
  const short = await rollcallInside(args, { env: { AUTH_SECRET: "short" } });
  expect(short).toMatchObject({ code: 2, stderr: expect.stringContaining("AUTH_SECRET") });
});

test("token mint refuses scopes that do not exist, and names those that do", async () => {
  const mint = (scope: string) =>
    rollcallInside(["token", "mint", "--sub", "ada", "--scope", scope], { env: { AUTH_SECRET: "s".repeat(32) } });
  const known = "there are users:read, users:write, streams";
  for (const [scope, problem] of [
    ["users:raed streams", 'there is no scope "users:raed"'],
    ["users:read,streams", 'there is no scope "users:read,streams"'],
    ["Streams a", 'there is no scope "Streams", "a"'],
    [" ", "a scope is missing"],
  ] as const) {
    const { code, stdout, stderr } = await mint(scope);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain(`rollcall: --scope: ${problem}; ${known}`);
  }
  const { code, stdout } = await mint("users:read  users:write streams users:read");
  expect(code).toBe(0);
  const verify = createTokenVerifier({ keys: { secret: new TextEncoder().encode("s".repeat(32)) } });
  expect(await verify(stdout.trim())).toMatchObject({ scopes: new Set(["users:read", "users:write", "streams"]) });
});

test("token mint reads the .env file, and no setting that it has no need of", async () => {
  await using dir = await folder();
  const secrets = { file: `${"f".repeat(32)}#`, environment: "e".repeat(32) };
  const write = (text: string) => writeFile(join(dir.path, ".env"), text);
  const run = async (env: NodeJS.ProcessEnv) => {
    const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
    const { signal } = new AbortController();
    const args = ["token", "mint", "--sub", "ada", "--scope", "streams"];
    const code = await runCommandLine(args, { stdin, stdout, stderr, env, rootDir: dir.path, signal });
    return { code, stdout: String(stdout.read() ?? "").trim(), stderr: String(stderr.read() ?? "") };
  };
  const verifier = (secret: string) => createTokenVerifier({ keys: { secret: new TextEncoder().encode(secret) } });
  await write(`\ufeffAUTH_SECRET='${secrets.file}'\nHOST=0.0.0.0\nDATABASE_URL=nonsense\n`);
  expect(await verifier(secrets.file)((await run({})).stdout)).toMatchObject({ subject: "ada" });
  const { stdout: token } = await run({ AUTH_SECRET: secrets.environment });
  expect(await verifier(secrets.environment)(token)).toMatchObject({ subject: "ada" });

  await write(`HOST=::1\nAUTH_SECRET=${secrets.file}\n`);
  expect(await run({})).toEqual({
    code: 2,
    stdout: "",
    stderr: "rollcall: .env line 2: AUTH_SECRET: a secret with a # in it must be in quotes\n",
  });
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

test("an address that is none is wrong usage, in words and without its secrets", async () => {
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

test("a message of several lines stays so, and a server without TLS is told as such", async () => {
  const env = { AUTH_JWKS_URL: "http://example.com/keys" };
  const { stderr } = await rollcall(["token", "mint", "--sub", "a", "--scope", "streams"], { env });
  expect(stderr).toMatch(/^rollcall: AUTH_\w+: .+\n(AUTH_\w+: .+\n)+$/);
  await using server = await startServer();
  const address = server.url.replace("http:", "https:");
  const noTls = await rollcall(["users", "list", "--address", address, "--timeout", "2s"]);
  expect(noTls).toMatchObject({
    code: 1,
    stderr: `rollcall: unavailable: ${address}: the server does not speak TLS; its address may begin with http://\n`,
  });
});

test.runIf(existsSync("/dev/full"))(
  "an output that can't be written is a failure, and one that is closed is not",
  async () => {
    const run = async (redirection: string) => {
      const main = join(import.meta.dirname, "../src/main.ts");
      const script = `"$0" "$1" --help ${redirection}; echo "code \${PIPESTATUS[0]}"`;
      return promisify(execFile)("bash", ["-c", script, process.execPath, main]);
    };
    const full = await run("> /dev/full");
    expect(full.stdout).toBe("code 1\n");
    expect(full.stderr).toMatch(/^rollcall: the output can't be written: .*ENOSPC/);
    expect(await run("| true")).toEqual({ stdout: "code 0\n", stderr: "" });
  },
);

test.each([
  { signal: "SIGINT", exitCode: 130 },
  { signal: "SIGTERM", exitCode: 143 },
] as const)("$signal cancels the call and says what was done", async ({ signal, exitCode }) => {
  await using server = await startServer({ streams: { resultCount: 1_000, resultIntervalMs: 20 } });
  const env = { ROLLCALL_ADDRESS: server.url, ROLLCALL_TOKEN: await server.token() };
  const query = await rollcall(["query", "endless"], {
    env,
    onStart: (child) => child.stdout?.once("data", () => child.kill(signal)),
  });
  expect(query.code).toBe(exitCode);
  expect(query.stderr).toMatch(/^rollcall: canceled after \d+ results\n$/);
  // The server has stopped too, long before the last result.
  const call = await until(() => server.log.find(({ method }) => String(method).endsWith("/ServerStream")));
  expect(call).toMatchObject({ code: "canceled" });
});
