import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import { createTokenVerifier } from "@rollcall/server";
import { createCertificateAuthority } from "@rollcall/testing/certificates";
import { startServer } from "@rollcall/testing/start-server";
import { afterAll, describe, expect, test } from "vitest";
import { parseCommand } from "../../src/commands/parse-command.ts";
import { runCommand } from "../../src/commands/run-command.ts";
import { CommandUsageError } from "../../src/commands/usage-error.ts";

const authority = await createCertificateAuthority("Test CA");
const past = { notBefore: new Date("2020-01-01"), notAfter: new Date("2021-01-01") };
const own = await authority.issue({ commonName: "server", hosts: ["localhost"] });
const expired = await authority.issue({ commonName: "server", hosts: ["localhost"], ...past });

const folder = mkdtempSync(join(tmpdir(), "rollcall-commands-"));
afterAll(() => rmSync(folder, { recursive: true }));
const write = (name: string, text: string) => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};
const secret = "0123456789abcdef0123456789abcdef";

/** Runs a command with these settings in this process. */
async function run(args: string[], env: Record<string, string> = {}) {
  const command = parseCommand(args);
  if (command.name === "serve" || command.name === "help" || command.name === "version") throw new Error("never ends");
  const [stdout, stderr] = [collect(), collect()];
  const code = await runCommand(command, {
    stdout: stdout.stream,
    stderr: stderr.stream,
    env: { DATABASE_URL: "sqlite::memory:", ...env },
    signal: new AbortController().signal,
    rootDir: folder,
    workingDir: folder,
    readFile: (path) => readFileSync(path, "utf8"),
    namesInFile: [],
  });
  return { code, stdout: stdout.text(), stderr: stderr.text() };
}

function collect() {
  let text = "";
  const stream = new Writable({
    write(chunk, _encoding, done) {
      text += chunk;
      done();
    },
  });
  return { stream, text: () => text };
}

const tlsEnv = ({ cert, key } = own) => ({
  TLS_CERT_FILE: write("cert.pem", cert),
  TLS_KEY_FILE: write("key.pem", key),
});

describe("healthcheck", () => {
  test.each([
    ["in plaintext", {}, {}],
    ["over TLS", { tls: own }, tlsEnv()],
  ])("succeeds while the server is ready, %s", async (_name, options, env) => {
    await using server = await startServer(options);
    const PORT = String(server.port);
    expect(await run(["healthcheck"], { PORT, ...env })).toMatchObject({ code: 0, stderr: "" });
  });

  test("fails with the reason while the server drains, and when it is gone", async () => {
    const checkWithin = async (shutdownDelayMs: number) => {
      const server = await startServer({ shutdownDelayMs });
      const PORT = String(server.port);
      const closed = server.app.close();
      const draining = await run(["healthcheck"], { PORT });
      await closed;
      const gone = {
        code: 1,
        stdout: "",
        stderr: `rollcall-server: no answer on port ${PORT}: nothing listens there\n`,
      };
      expect(await run(["healthcheck"], { PORT })).toEqual(gone);
      return draining;
    };
    // On a busy machine, a delay can be over before the question arrives.
    let draining = await checkWithin(500);
    for (let delayMs = 1_000; !/not ready/.test(draining.stderr) && delayMs < 20_000; delayMs *= 2) {
      draining = await checkWithin(delayMs);
    }
    expect(draining).toEqual({
      code: 1,
      stdout: "",
      stderr: expect.stringMatching(/^rollcall-server: not ready: .*"reason":"draining".*\n$/),
    });
  });

  test("says that a server with client certificates asks for one", async () => {
    await using server = await startServer({ tls: { ...own, clientCa: authority.cert } });
    const { code, stderr } = await run(["healthcheck"], { PORT: String(server.port), ...tlsEnv() });
    expect(code).toBe(1);
    expect(stderr).toContain("the server refused the handshake; it may ask for a client certificate: set PROBE_PORT");
  });

  test("asks at the port for probes of such a server", async () => {
    await using server = await startServer({ tls: { ...own, clientCa: authority.cert }, probePort: 0 });
    const PROBE_PORT = new URL(server.probeUrl ?? "").port;
    const answer = await run(["healthcheck"], { PORT: String(server.port), PROBE_PORT, ...tlsEnv() });
    expect(answer).toMatchObject({ code: 0, stderr: "" });
  });
});

describe("doctor", () => {
  const good = { AUTH_SECRET: secret, PORT: "0" };
  const failures = (stdout: string) => stdout.split("\n").filter((line) => line.startsWith("fail"));

  test("finds nothing where all is well", async () => {
    const env = { ...good, DATABASE_URL: `sqlite:${join(folder, "new/users.db")}`, ...tlsEnv() };
    const { code, stdout, stderr } = await run(["doctor"], env);
    expect({ code, stderr, failures: failures(stdout) }).toEqual({ code: 0, stderr: "", failures: [] });
    for (const of of ["Node.js 26", "settings", "database", "disk", "certificate 1", "tokens", "port"]) {
      expect(stdout).toMatch(new RegExp(`^(?:ok|warn) +${of}`, "m"));
    }
    expect(stdout).not.toContain(secret);
  });

  test("knows a running server", async () => {
    await using server = await startServer();
    const { code, stdout } = await run(["doctor"], { ...good, PORT: String(server.port) });
    expect(stdout).toContain(`ok    port: a server is ready on ${server.port}`);
    expect(code).toBe(0);
  });

  test.each<[string, () => Record<string, string>, string]>([
    ["a wrong setting", () => ({ LOG_LEVEL: "loud" }), "settings: LOG_LEVEL: must be one of"],
    ["an expired certificate", () => tlsEnv(expired), "certificate 1 of TLS_CERT_FILE has expired on 2021-01-01"],
    [
      "another program's file",
      () => ({ DATABASE_URL: `sqlite:${write("no.db", "x".repeat(4_096))}` }),
      "is damaged, or not a database",
    ],
    [
      "keys that can't be had",
      () => ({ AUTH_SECRET: "", AUTH_JWKS_URL: "http://127.0.0.1:9/", AUTH_ISSUER: "i", AUTH_AUDIENCE: "a" }),
      "tokens: the keys of AUTH_JWKS_URL can't be had",
    ],
  ])("finds %s", async (_name, env, words) => {
    const { code, stdout, stderr } = await run(["doctor"], { ...good, ...env() });
    expect(failures(stdout)).toEqual([expect.stringContaining(words)]);
    expect({ code, stderr }).toEqual({ code: 1, stderr: "rollcall-server: 1 check failed\n" });
  });

  test("finds another program on the port", async () => {
    await using holder = net.createServer((socket) => socket.destroy()).listen(0, "127.0.0.1");
    await once(holder, "listening");
    const { port } = holder.address() as net.AddressInfo;
    const { code, stdout } = await run(["doctor"], { ...good, PORT: String(port) });
    expect(failures(stdout)).toEqual([
      expect.stringContaining(`port: can't listen on 127.0.0.1:${port}: the port is in`),
    ]);
    expect(code).toBe(1);
  });
});

test("check-config says what is wrong, one a line, and nothing secret", async () => {
  expect(await run(["check-config"], { AUTH_SECRET: secret })).toMatchObject({ code: 0, stderr: "" });
  const { code, stdout, stderr } = await run(["check-config"], { PORT: "x", AUTH_SECRET: "short" });
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toMatch(/^PORT: .*\nAUTH_SECRET: .*\n$/);
  expect(stderr).not.toContain("short");
});

describe("backup and restore", () => {
  const env = { DATABASE_URL: `sqlite:${join(folder, "no-such.db")}` };

  test("refuse a wrong setting, a database in memory and one that is not there, and make no file", async () => {
    const to = join(folder, "copy.db");
    expect(await run(["backup", to], { DATABASE_URL: "mysql://x" })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("DATABASE_URL: "),
    });
    expect(await run(["backup", to])).toMatchObject({ code: 1, stderr: expect.stringContaining("in memory") });
    expect(await run(["backup", to], env)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/no-such\.db does not exist\n$/),
    });
    const text = write("text.db", "no database at all, but a text".repeat(100));
    expect(await run(["restore", text], env)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("not a database"),
    });
    expect([existsSync(to), existsSync(join(folder, "no-such.db"))]).toEqual([false, false]);
  });
});

test("copy refuses what is no database of its own, or the same one", async () => {
  const path = join(folder, "users-of-nobody.db");
  const url = `sqlite:${path}`;
  const cases: [string[], number, string][] = [
    [[url, "NO_SUCH_VARIABLE"], 2, "TO: the variable NO_SUCH_VARIABLE is not set"],
    [["mysql://user:secret@host/db", url], 2, "FROM: must be sqlite:<path>"],
    [[url, "sqlite::memory:"], 1, "a database in memory can't be copied"],
    [[url, url], 1, "FROM and TO are the same database"],
    [[`${url}.missing`, url], 1, "users-of-nobody.db.missing does not exist"],
  ];
  for (const [args, code, problem] of cases) {
    const result = await run(["copy", ...args]);
    expect(result).toMatchObject({ code, stdout: "", stderr: expect.stringContaining(problem) });
    expect(result.stderr).not.toContain("secret");
  }
  expect(existsSync(path)).toBe(false);
});

test("copy says that its source is damaged, without a stack", async () => {
  const from = `sqlite:${write("damaged.db", "x".repeat(4_096))}`;
  const { code, stderr } = await run(["copy", from, `sqlite:${join(folder, "to.db")}`]);
  expect(code).toBe(1);
  expect(stderr).toMatch(/^rollcall-server: .*damaged\.db is damaged, or not a database .*\n$/);
});

test("token mint signs with the secret of now", async () => {
  const args = ["token", "mint", "--sub", "ada", "--scope", "users:read", "--ttl", "2h"];
  const { code, stdout } = await run(args, { AUTH_SECRET: secret, AUTH_SECRET_PREVIOUS: secret.replace("0", "1") });
  expect(code).toBe(0);
  const principal = await createTokenVerifier({ keys: { secret: new TextEncoder().encode(secret) } })(stdout.trim());
  expect(principal).toMatchObject({ subject: "ada", scopes: new Set(["users:read"]) });
  expect(await run(args, { DATABASE_URL: `sqlite:${join(folder, "none.db")}` })).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("rollcall-server: no key to sign with: set AUTH_SECRET"),
  });
});

test.each([
  [["token"], "token has one command: token mint"],
  [["token", "mint", "--scope", "streams"], "token mint needs --sub"],
  [["token", "mint", "--sub", "ada"], "token mint needs --scope"],
  [["token", "mint", "--sub", "ada", "--scope", "streams", "--ttl", "soon"], "--ttl must be a time"],
  [["serve", "--ttl", "1h"], "serve takes no --ttl"],
  [["serve", "now"], "serve takes no argument"],
  [["backup", ""], "backup needs FILE"],
  [["restore", "a", "b"], "restore takes FILE"],
  [["copy"], "copy needs FROM"],
  [["copy", "a"], "copy needs TO"],
  [["--port", "80"], "Unknown option '--port'"],
  [["doctor", "now"], "doctor takes no argument"],
  [["helthcheck"], 'there is no command "helthcheck"'],
])("%j is wrong usage", (args, words) => {
  expect(() => parseCommand(args)).toThrow(CommandUsageError);
  expect(() => parseCommand(args)).toThrow(words);
});
