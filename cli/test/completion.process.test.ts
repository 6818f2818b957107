import { spawnSync } from "node:child_process";
import { chmod, mkdtempDisposable, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { childEnv } from "@rollcall/testing/child-env";
import { run } from "@rollcall/testing/run-program";
import { rollcallInside, rollcallMain } from "@rollcall/testing/run-rollcall";
import { expect, test } from "vitest";

const words = async (...typed: string[]) => {
  const { stdout } = await rollcallInside(["complete", "--", ...typed]);
  return stdout
    .split("\n")
    .flatMap((line) => line.split("\t", 1))
    .filter((word) => word !== "");
};

test("commands, options, values and methods are completed", async () => {
  expect(await words("us")).toEqual(["users"]);
  expect(await words("--json", "users", "")).toContain("import");
  expect(await words("--token", "users", "tok")).toEqual(["token"]);
  expect(await words("users", "create", "--e")).toEqual(["--email"]);
  expect(await words("users", "create", "--pro")).toEqual(["--protocol"]);
  expect(await words("query", "--protocol", "grpc-")).toEqual(["grpc-web"]);
  expect(await words("query", "--protocol=g")).toEqual(["--protocol=grpc", "--protocol=grpc-web"]);
  // As bash divides it.
  expect(await words("query", "--protocol", "=", "grpc-")).toEqual(["grpc-web"]);
  expect(await words("query", "--protocol", "=")).toContain("connect");
  expect(await words("query", "--protocol", "=", "grpc", "--js")).toEqual(["--json"]);
  expect(await words("completion", "")).toEqual(["bash", "zsh", "fish"]);
  expect(await words("call", "user.v1.UserService/G")).toContain("user.v1.UserService/GetUser");
  expect(await words("call", "")).not.toContain("GetUser");
  expect(await words("call", "Get")).toEqual(["GetUser", "GetUserHistory"]);
  expect(await words("help", "us")).toEqual(["users"]);
  expect(await words("help", "users", "cre")).toEqual(["create"]);
  // Two services have it.
  expect(await words("call", "ServerR")).toEqual([]);
  // Shells complete file names here.
  expect(await words("upload", "")).toEqual([]);
  expect(await words("--ca", "")).toEqual([]);
  expect(await words("complet")).toEqual(["completion"]);
});

const press: Record<string, { args: string[]; ask: string }> = {
  bash: {
    args: ["--norc", "-c"],
    ask: "COMP_WORDS=(rollcall users cre); COMP_CWORD=2; _rollcall; echo $COMPREPLY",
  },
  zsh: {
    args: ["-f", "-c"],
    ask: "_describe() { print -l $candidates }; words=(rollcall users cre); CURRENT=3; _rollcall",
  },
  fish: { args: ["--no-config", "-c"], ask: "complete -C 'rollcall users cre'" },
};

test.for(Object.entries(press))("%s completes words by the script", async ([shell, { args, ask }], { skip }) => {
  skip(spawnSync(shell, ["--version"]).error !== undefined, `${shell} is not installed`);
  await using folder = await mkdtempDisposable(join(tmpdir(), "rollcall-cli-"));
  const program = join(folder.path, "rollcall");
  await writeFile(program, `#!/bin/sh\nexec "${process.execPath}" "${rollcallMain}" "$@"\n`);
  await chmod(program, 0o755);
  const { stdout: script } = await rollcallInside(["completion", shell]);
  const before = shell === "zsh" ? "compdef() { }\n" : "";
  const env = { ...childEnv, HOME: folder.path, PATH: `${folder.path}:${childEnv.PATH}` };
  const { stdout, stderr } = await run(shell, [...args, `${before}${script}${ask}`], { env, input: "" });
  expect(stdout, stderr).toMatch(/^create\b/);
});
