import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { childEnv } from "@rollcall/testing/child-env";
import { examplesIn } from "@rollcall/testing/readme-examples";
import { root } from "@rollcall/testing/root";
import { run } from "@rollcall/testing/run-program";
import { startServer, type TestServer } from "@rollcall/testing/start-server";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const pages = ["README.md", "docs/calling.md"].map((page) => readFileSync(join(root, page), "utf8")).join("\n");
// Below the root, so that an example finds the packages that it imports.
mkdirSync(join(root, ".readme"), { recursive: true });
const folder = mkdtempSync(join(root, ".readme/"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Returns the examples of the README, then of docs/calling.md, with these words behind their opening fence, by their first lines. */
function examples(info: string): { name: string; code: string }[] {
  return examplesIn(pages, info).map((code, index) => ({ name: `${index + 1}: ${code.split("\n", 1)}`, code }));
}

/** Runs a program in the repository; its standard output, if it succeeds. */
async function outputOf(program: string, args: string[], env: Record<string, string>): Promise<string> {
  const { code, stdout, stderr } = await run(program, args, { env: { ...process.env, ...childEnv, ...env } });
  expect(code, stderr).toBe(0);
  return stdout;
}

/** Node.js and npm are all that tests may need; others run where they are. */
function hasProgram(name: string): boolean {
  return spawnSync(name, ["--version"]).error === undefined;
}

describe("documented commands", () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startServer();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  const expected = [
    /"email":"ada@example\.com"/,
    /Result 9 for query: hello/,
    /Result 9 for query: hello/,
    /"users":\[/,
    /"reply": "Echo: two"/,
  ];
  const commands = examples("sh ci").map((example, index) => ({ ...example, expected: expected[index] ?? /never/ }));

  test.for(commands)("$name", async (command, { skip }) => {
    skip(command.code.startsWith("curl") && !hasProgram("curl"), "curl is not installed");
    const code = command.code.replaceAll("localhost:8080", `localhost:${server.port}`);
    const token = await server.token();
    expect(await outputOf("sh", ["-ec", code], { TOKEN: token, ROLLCALL_TOKEN: token })).toMatch(command.expected);
  });

  test("are all here", () => expect(commands).toHaveLength(expected.length));

  test("for grpcurl", async ({ skip }) => {
    skip(!hasProgram("grpcurl"), "grpcurl is not installed");
    for (const { code } of examples("sh grpcurl")) {
      const script = code.replaceAll("localhost:8080", `localhost:${server.port}`);
      expect(await outputOf("sh", ["-ec", script], { TOKEN: await server.token() })).toMatch(/"users": \[|"Echo: two"/);
    }
  });
});

describe("documented programs", () => {
  const created = /^created [\da-f-]{36}\n$/;
  const expected = [created, created, /^Echo: hello\n$/];
  test.each(examples("ts ci").map((example, index) => ({ ...example, index, expected: expected[index] ?? /never/ })))(
    "$name",
    async (example) => {
      await using server = await startServer();
      const file = join(folder, `example-${example.index}.ts`);
      writeFileSync(file, example.code.replaceAll("localhost:8080", `localhost:${server.port}`));
      expect(await outputOf(process.execPath, [file], { TOKEN: await server.token() })).toMatch(example.expected);
    },
  );

  test("are all here", () => expect(examples("ts ci")).toHaveLength(expected.length));
});
