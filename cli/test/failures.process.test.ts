import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { rollcall } from "@rollcall/testing/run-rollcall";
import { startServer } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";

test("a server that can't be reached is reported, with exit code 1", async () => {
  const { code, stderr } = await rollcall(["users", "list", "--address", "http://127.0.0.1:9", "--timeout", "1m"]);
  expect(code).toBe(1);
  expect(stderr).toMatch(/^rollcall: unavailable: .*ECONNREFUSED/);
});

test("a message of several lines stays so, and a server without TLS is reported as such", async () => {
  const env = { AUTH_SECRET: "short", AUTH_SECRET_PREVIOUS: "short" };
  const { stderr } = await rollcall(["token", "mint", "--sub", "a", "--scope", "streams"], { env });
  expect(stderr).toMatch(/^rollcall: AUTH_\w+: .+\n(AUTH_\w+: .+\n)+$/);
  await using server = await startServer();
  const address = server.url.replace("http:", "https:");
  const noTls = await rollcall(["users", "list", "--address", address, "--timeout", "1m"]);
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
