/** Tests how the programs read an .env file beside them. `rollcall token mint` is tested with the client. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { childEnv } from "@rollcall/testing/child-env";
import { root as repository } from "@rollcall/testing/root";
import { afterAll, expect, test } from "vitest";

const roots = mkdtempSync(join(tmpdir(), "rollcall-env-"));
afterAll(() => rmSync(roots, { recursive: true }));

/** Runs a program of this repository to its end, as if its root were a folder with such an .env file. */
function startWith(write: (path: string) => void, program = "server/src/main.ts") {
  const root = mkdtempSync(join(roots, "root-"));
  for (const name of ["server", "scripts", "node_modules"]) symlinkSync(join(repository, name), join(root, name));
  write(join(root, ".env"));
  const args = ["--preserve-symlinks-main", join(root, program)];
  const { status, stderr, stdout } = spawnSync(process.execPath, args, { env: childEnv, encoding: "utf8" });
  return { status, stderr, stdout };
}

const text = (content: string) => (path: string) => writeFileSync(path, content);
const programs = ["server/src/main.ts", "scripts/dev.ts"];

test("is read from its first variable on, also behind a byte order mark", () => {
  const started = startWith(text("\ufeffPORT=x\r\nLOG_LEVEL=loud # or quiet\r\n"));
  expect(started).toMatchObject({ status: 2, stdout: "" });
  expect(started.stderr.match(/^\w+/gm)).toEqual(["PORT", "LOG_LEVEL"]);
});

test("a name that is nearly a setting's is refused, and shows no value", () => {
  const started = startWith(text("PROT=18080\nAUTH_SECRIT=0123456789\nNODE_ENV=production\nLOG_LEVEL=loud\n"));
  expect(started).toMatchObject({ status: 2, stdout: "" });
  expect(started.stderr.split("\n").slice(1)).toEqual([
    "PROT: is no setting; did you mean PORT?",
    "AUTH_SECRIT: is no setting; did you mean AUTH_SECRET?",
    "",
  ]);
});

test.each(programs)("with lines that could be misunderstood it stops %s, and shows no secret", (program) => {
  const secret = "0123456789abcdef0123456789#abcdef";
  expect(startWith(text(`PORT: 0\nAUTH_SECRET=${secret}\n`), program)).toEqual({
    status: 2,
    stdout: "",
    stderr:
      ".env line 1: is no assignment; write NAME=value, or # before a comment\n" +
      ".env line 2: AUTH_SECRET: a secret with a # in it must be in quotes\n",
  });
});

test.each(programs)("as a folder it stops %s", (program) => {
  const stderr = ".env: is a folder; it must be a file, or not there\n";
  expect(startWith(mkdirSync, program)).toEqual({ status: 2, stdout: "", stderr });
});

test("one that can't be read stops the start", () => {
  const stderr = ".env: can't be read (ENOENT)\n";
  expect(startWith((path) => symlinkSync("nowhere", path))).toEqual({ status: 2, stdout: "", stderr });
});
