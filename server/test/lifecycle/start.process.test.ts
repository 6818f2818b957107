import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { createCertificateAuthority } from "@rollcall/testing/certificates";
import { childEnv } from "@rollcall/testing/child-env";
import { startProcess } from "@rollcall/testing/start-process";
import { startServer } from "@rollcall/testing/start-server";
import { afterAll, describe, expect, test } from "vitest";

const main = join(import.meta.dirname, "../../src/main.ts");
const folder = mkdtempSync(join(tmpdir(), "rollcall-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs a start that is expected to fail. */
function failingStart(env: Record<string, string>) {
  const { status, stderr, stdout } = spawnSync(process.execPath, [main], {
    env: { ...childEnv, DATABASE_URL: "sqlite::memory:", PORT: "0", ...env },
    encoding: "utf8",
  });
  return { status, stderr, stdout };
}

/** Whether curl is installed. Tests may require only Node.js and npm. */
const hasCurl = spawnSync("curl", ["--version"]).error === undefined;

async function shell(script: string): Promise<string> {
  const child = spawn("sh", ["-c", script], { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  for await (const chunk of child.stdout) output += chunk;
  return output;
}

describe("a start on loopback without keys", () => {
  test("prints a link that signs in and a curl line that works when pasted", async ({ skip }) => {
    skip(!hasCurl, "curl is not installed");
    await using server = await startProcess();
    expect(server.output()).toContain(`Sign in   ${server.url}/#token=`);
    const curl = /(curl [^\n]*\\\n[^\n]*)\n/.exec(server.output())?.[1] ?? "";
    expect(JSON.parse(await shell(`${curl} -sS`))).toEqual({});
  });

  test("keeps its key beside the database, for its owner alone, so that tokens outlive a restart", async () => {
    const { headers } = await startProcess({ folder }).then(async (first) => {
      await first[Symbol.asyncDispose]();
      return first;
    });
    expect(statSync(join(folder, "development.key")).mode & 0o777).toBe(0o600);
    await using second = await startProcess({ folder });
    const list = (authorization: string) =>
      fetch(`${second.url}/user.v1.UserService/ListUsers`, {
        method: "POST",
        headers: { authorization, "content-type": "application/json" },
        body: "{}",
      });
    expect((await list(headers.authorization)).status).toBe(200);
    await using other = await startProcess();
    expect((await list(other.headers.authorization)).status).toBe(401);
    expect(second.output()).not.toContain(readFileSync(join(folder, "development.key"), "utf8"));
  });

  test("serves TLS with the certificate that it is given", async ({ skip }) => {
    skip(!hasCurl, "curl is not installed");
    const authority = await createCertificateAuthority("Test CA");
    const { cert, key } = await authority.issue({ commonName: "Server", hosts: ["localhost"] });
    const write = (name: string, text: string) => {
      writeFileSync(join(folder, name), text);
      return join(folder, name);
    };
    const env = { TLS_CERT_FILE: write("cert.pem", cert), TLS_KEY_FILE: write("key.pem", key) };
    await using server = await startProcess({ env });
    const ca = write("ca.pem", authority.cert);
    expect(await shell(`curl -sS --cacert ${ca} ${server.url}/healthz`)).toBe('{"status":"ok"}');
    const curl = /(curl [^\n]*\\\n[^\n]*)\n/.exec(server.output())?.[1] ?? "";
    expect(JSON.parse(await shell(`${curl} -sS`))).toEqual({});
  });
});

describe("a start that must not be", () => {
  test("lists every wrong setting, one a line, and exits with 2", () => {
    const { status, stderr, stdout } = failingStart({ PORT: "x", LOG_LEVEL: "loud", AUTH_SECRET: "short" });
    expect(status).toBe(2);
    expect(stdout).toBe("");
    expect(
      stderr
        .trimEnd()
        .split("\n")
        .map((line) => line.split(":")[0]),
    ).toEqual(["PORT", "AUTH_SECRET", "LOG_LEVEL"]);
    expect(stderr).not.toContain("short");
  });

  test("on a host that others reach names what is missing", () => {
    const { status, stderr } = failingStart({ HOST: "0.0.0.0" });
    expect(status).toBe(2);
    expect(stderr).toMatch(/^AUTH_SECRET: .*\nTLS_CERT_FILE: .*ALLOW_PLAINTEXT=true.*\n$/);
  });

  test("with files of TLS that can't be used says why", () => {
    const empty = join(folder, "empty.pem");
    writeFileSync(empty, "");
    const env = { TLS_CERT_FILE: empty, TLS_KEY_FILE: empty, TLS_CLIENT_CA_FILE: folder };
    expect(failingStart(env)).toEqual({
      status: 2,
      stdout: "",
      stderr: [
        `TLS_CERT_FILE: ${empty} is empty`,
        `TLS_KEY_FILE: ${empty} is empty`,
        `TLS_CLIENT_CA_FILE: ${folder} is a folder, not a file\n`,
      ].join("\n"),
    });
  });

  describe("where it can't listen says in one line what to do, and exits with 1:", () => {
    const inUse = "the port is in use; end the program that uses it, or set PORT to a free port (EADDRINUSE)";
    const holdPort = async (address: string) => {
      const holder = net.createServer().listen(0, address);
      await once(holder, "listening");
      const { port } = holder.address() as net.AddressInfo;
      return { port, [Symbol.dispose]: () => void holder.close() };
    };
    /** Returns the error message of a start in this process. A server process logs it after "can't start". */
    const refusal = (options: { host: string; port: number }) =>
      startServer(options).then(
        () => expect.unreachable("it listens"),
        (error: Error) => error.message,
      );

    test("a port in use at 127.0.0.1", async () => {
      using holder = await holdPort("127.0.0.1");
      const env = { AUTH_SECRET: "s".repeat(32), ALLOW_PLAINTEXT: "true", PORT: String(holder.port) };
      const { status, stdout, stderr } = failingStart(env);
      expect({ status, stderr }).toEqual({ status: 1, stderr: "" });
      const { time, ...line } = JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "");
      expect(line).toEqual({
        level: "fatal",
        msg: `can't start: can't listen on 127.0.0.1:${holder.port}: ${inUse}`,
      });
    });

    test("a port in use at ::1", async () => {
      using holder = await holdPort("::1");
      expect(await refusal({ host: "::1", port: holder.port })).toBe(`can't listen on [::1]:${holder.port}: ${inUse}`);
    });

    // 192.0.2.0/24 is reserved for documentation (RFC 5737), and no name ends with .invalid (RFC 6761, 6.4).
    test("an address of another machine", async () => {
      const words = "this machine does not have the address; set HOST to one that it has (EADDRNOTAVAIL)";
      expect(await refusal({ host: "192.0.2.1", port: 8080 })).toBe(`can't listen on 192.0.2.1:8080: ${words}`);
    });

    test("a name that nobody knows", async () => {
      expect(await refusal({ host: "nobody.invalid", port: 8080 })).toMatch(
        /^can't listen on nobody\.invalid:8080: the name .*; set HOST to /,
      );
    });
  });

  test.each([
    [
      "no database",
      "x".repeat(4_096),
      "is damaged, or not a database (file is not a database); put a backup in its place",
    ],
    [
      "another program's database",
      foreignDatabase(),
      "is another program's database; set DATABASE_URL to a file of Rollcall's own",
    ],
  ])("on a file that is %s says so in one line and exits with 1", (_name, bytes, words) => {
    const path = join(folder, "no.db");
    writeFileSync(path, bytes);
    const { status, stdout, stderr } = failingStart({ DATABASE_URL: `sqlite:${path}` });
    expect({ status, stderr }).toEqual({ status: 1, stderr: "" });
    const { time, ...line } = JSON.parse(stdout);
    expect(line).toEqual({ level: "fatal", msg: `can't start: ${path} ${words}` });
  });

  test("on an invalid development key says so in one line and exits with 1", () => {
    const keyFolder = join(folder, "key");
    mkdirSync(keyFolder);
    writeFileSync(join(keyFolder, "development.key"), "no key");
    const { status, stdout } = failingStart({ DATABASE_URL: `sqlite:${join(keyFolder, "users.db")}` });
    expect(status).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      level: "fatal",
      msg: expect.stringContaining("development.key does not hold a development key; remove it"),
    });
  });
});

function foreignDatabase(): Uint8Array {
  const path = join(folder, "foreign.db");
  const database = new DatabaseSync(path);
  database.exec("CREATE TABLE notes (text)");
  database.close();
  return readFileSync(path);
}
