import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { examplesIn } from "@rollcall/testing/readme-examples";
import { root } from "@rollcall/testing/root";
import { startServer, type TestServer } from "@rollcall/testing/start-server";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { forServer, hasProgram, outputOf } from "./support/run-example.ts";

const pages = ["README.md", "docs/calling.md"].map((page) => readFileSync(join(root, page), "utf8")).join("\n");

/** Returns the examples of the README, then of docs/calling.md, that have these words after their opening fence. */
function examples(info: string, expected: readonly RegExp[]) {
  return examplesIn(pages, info).map((code, index) => ({
    name: `${index + 1}: ${code.split("\n", 1)}`,
    code,
    expected: expected[index] ?? /never/,
  }));
}

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server[Symbol.asyncDispose]());

describe("documented commands", () => {
  const expected = [
    /"email":"ada@example\.com"/,
    /Result 9 for query: hello/,
    /"users":\[\{.*"email":"ada@example\.com"/,
    /Result 9 for query: hello/,
    /"reply": "Echo: two"/,
    /^[\da-f-]{36}\tkatherine@example\.com\tKatherine Johnson\t(.*\n)+(Result .*\n){10}Echo: Hello\nEcho: Goodbye\n$/,
  ];
  const commands = examples("sh ci", expected);

  test.for(commands)("$name", async ({ code, expected }, { skip }) => {
    skip(/\bcurl http/.test(code) && !hasProgram("curl"), "curl is not installed");
    expect(await outputOf(server, "sh", ["-ec", forServer(server, code)])).toMatch(expected);
  });

  test("are all here", () => expect(commands).toHaveLength(expected.length));
});

describe("documented commands of gRPC's tools", () => {
  const expected = [/user\.v1\.UserService\n(.*\n)*status: SERVING\n$/, /"users": \[/, /"Echo: two"/];
  const commands = examples("sh tools", expected);

  test.for(commands)("$name", async ({ code, expected }, { skip }) => {
    for (const tool of ["grpcurl", "grpc_health_probe"])
      skip(code.includes(tool) && !hasProgram(tool), `${tool} is not installed`);
    expect(await outputOf(server, "sh", ["-ec", `exec 2>&1; ${forServer(server, code)}`])).toMatch(expected);
  });

  test("are all here", () => expect(commands).toHaveLength(expected.length));
});

describe("documented programs", () => {
  const expected = [/^created [\da-f-]{36}\n$/, /^Echo: hello\n$/];
  const programs = examples("ts ci", expected);
  // Below the root, so that an example finds the packages that it imports.
  mkdirSync(join(root, ".readme"), { recursive: true });
  const folder = mkdtempSync(join(root, ".readme/"));
  afterAll(() => rmSync(folder, { recursive: true }));

  test.for(programs)("$name", async ({ code, expected }) => {
    const file = join(folder, "example.ts");
    writeFileSync(file, forServer(server, code));
    expect(await outputOf(server, process.execPath, [file])).toMatch(expected);
  });

  test("are all here", () => expect(programs).toHaveLength(expected.length));
});
