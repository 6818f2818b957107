import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { childEnv } from "@rollcall/testing/child-env";
import { examplesIn } from "@rollcall/testing/readme-examples";
import { root } from "@rollcall/testing/root";
import { startServer, type TestServer } from "@rollcall/testing/start-server";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { forServer, hasProgram, outputOf, runExample } from "./support/run-example.ts";

let server: TestServer;
// Below the root, so that examples find what they import.
mkdirSync(join(root, ".readme"), { recursive: true });
const folder = mkdtempSync(join(root, ".readme/"));
beforeAll(async () => {
  server = await startServer();
});
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await server[Symbol.asyncDispose]();
});

/** Copies a file of an example, with the address of the test's server in it. */
function copy(path: string): string {
  const file = join(folder, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, forServer(server, readFileSync(join(root, path), "utf8")));
  return file;
}

test("the example of Node.js", async () => {
  const file = copy("examples/node/main.ts");
  const output = [
    /created [\da-f-]{36}/,
    /alan@example\.com Alan Turing/,
    /EmailTakenError/,
    /Result 0 .*\nResult 1 .*/,
    /Echo: hello/,
  ];
  const expected = new RegExp(`^${output.map(({ source }) => `${source}\\n`).join("")}$`);
  expect(await outputOf(server, process.execPath, [file])).toMatch(expected);
  // The example cleans up after itself, so it can run again.
  expect(await outputOf(server, process.execPath, [file])).toMatch(expected);
});

test("the example of curl", async ({ skip }) => {
  skip(!hasProgram("curl"), "curl is not installed");
  const [updated, listed, history, notModified, deleted] = (
    await outputOf(server, "sh", ["examples/curl/calls.sh"])
  ).split("\n");
  expect(updated).toContain('"name":"Hedwig Kiesler"');
  expect(listed).toContain('"totalSize":1');
  expect(history).toMatch(/"after":.*"Hedwig Kiesler".*"after":.*"Hedy Lamarr"/);
  expect(notModified).toBe("304");
  expect(deleted).toBe('{"success":true}');
});

test("the example of a host serves its own method, by the command that it prints, until it is stopped", async () => {
  const child = spawn(process.execPath, [join(root, "examples/extend/main.ts")], {
    env: { ...childEnv, PORT: "0" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(child, "exit");
  try {
    let command = "";
    for await (const chunk of child.stdout.setEncoding("utf8")) {
      command += chunk;
      if (command.endsWith("'\n")) break;
    }
    const [, url = "", token = "", body = ""] = /^curl (\S+) .*Bearer (\S+)' -d '(.*)'\n$/s.exec(command) ?? [];
    const greet = (authorization: string) =>
      fetch(url, { method: "POST", headers: { authorization, "content-type": "application/json" }, body });
    expect(await (await greet(`Bearer ${token}`)).json()).toEqual({ text: "Hello Grace, from ada" });
    expect((await greet("Bearer none")).status).toBe(401);
    child.kill("SIGTERM");
    expect(await exited).toEqual([0, null]);
  } finally {
    child.kill("SIGKILL");
  }
});

describe("native clients, by their documented commands", () => {
  const page = readFileSync(join(root, "docs/native-clients.md"), "utf8");
  /** Output that all programs have in common. */
  const tour =
    /must be a valid email address.*must not be empty.*barbara@example\.com Barbara Liskov\n.*1048576.*Echo: one\n/s;

  /** Runs the commands in a copy, without a registry. @returns The reason for not running, if packages are missing. */
  async function runOffline(name: string, missing: RegExp, env: Record<string, string>): Promise<string | undefined> {
    const [commands = "false"] = examplesIn(page, `sh ${name}`);
    const { code, stdout, stderr } = await runExample(server, "sh", ["-ec", commands], { cwd: folder, env });
    const [reason] = code === 0 ? [] : (missing.exec(stderr + stdout) ?? []);
    if (reason === undefined) {
      expect(code, stderr).toBe(0);
      expect(stdout).toMatch(tour);
    }
    return reason;
  }

  beforeAll(() => {
    for (const path of ["proto", "buf.yaml"]) cpSync(join(root, path), join(folder, path), { recursive: true });
  });

  test("Go", async ({ skip }) => {
    skip(!hasProgram("go"), "Go is not installed");
    for (const name of ["buf.gen.yaml", "go.mod", "go.sum", "main.go"]) copy(`examples/go/${name}`);
    const missing = /.*(?:GOPROXY=off|requires go >= ).*/;
    const reason = await runOffline("go", missing, { GOPROXY: "off", GOTOOLCHAIN: "local" });
    skip(reason !== undefined, `a module of Go is not at hand: ${reason}`);
  });

  test("Python", async ({ skip }) => {
    skip(!hasProgram("python3"), "Python is not installed");
    copy("examples/python/client.py");
    const reason = await runOffline("python", /.*ModuleNotFoundError.*|.*No module named.*/, {});
    skip(reason !== undefined, `a package of Python is not at hand: ${reason}`);
  });

  test("Java", async ({ skip }) => {
    skip(!hasProgram("mvn"), "Maven is not installed");
    for (const name of ["pom.xml", "src/main/java/App.java"]) copy(`examples/java/${name}`);
    // The plugin requires this version, and Maven would report that only after seconds.
    const version = (await runExample(server, "mvn", ["--version"])).stdout;
    skip(!/Maven (?:3\.9\.(?:[6-9]|\d\d)|[4-9])/.test(version), "Maven is older than 3.9.6");
    const reason = await runOffline("java", /.*in offline mode.*/, { MAVEN_ARGS: "--offline --quiet" });
    skip(reason !== undefined, `a package of Maven is not at hand: ${reason}`);
  });
});
