import { spawnSync } from "node:child_process";
import { childEnv } from "@rollcall/testing/child-env";
import { root } from "@rollcall/testing/root";
import { run } from "@rollcall/testing/run-program";
import type { TestServer } from "@rollcall/testing/start-server";
import { expect } from "vitest";

/** Returns whether a program is installed: Node.js and npm are all that tests may need. */
export function hasProgram(name: string): boolean {
  return spawnSync(name, ["--version"]).error === undefined;
}

/** Returns a text of an example with the address of a server in place of the documented one. */
export function forServer({ port }: TestServer, text: string): string {
  return text.replaceAll("localhost:8080", `localhost:${port}`);
}

/** Runs a program with the README's variables set, as its readers do. */
export async function runExample(
  server: TestServer,
  program: string,
  args: readonly string[],
  { cwd = root, env = {} }: { cwd?: string; env?: Readonly<Record<string, string>> } = {},
) {
  const token = await server.token();
  const variables = { TOKEN: token, ROLLCALL_TOKEN: token, ROLLCALL_ADDRESS: server.url };
  return run(program, args, { cwd, env: { ...process.env, ...childEnv, ...variables, ...env }, input: "" });
}

/** Runs an example and returns its standard output. The test fails if the example does. */
export async function outputOf(...args: Parameters<typeof runExample>): Promise<string> {
  const { code, stdout, stderr } = await runExample(...args);
  expect(code, stderr).toBe(0);
  return stdout;
}
