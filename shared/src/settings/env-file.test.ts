import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseEnv } from "node:util";
import { afterAll, describe, expect, test } from "vitest";
import { ConfigError } from "./config-error.ts";
import { parseEnvFile, readEnvFile } from "./env-file.ts";

const folder = mkdtempSync(join(tmpdir(), "rollcall-env-"));
afterAll(() => rmSync(folder, { recursive: true }));

function problemsOf(run: () => unknown): readonly string[] {
  try {
    run();
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

const parse = (text: string) => parseEnvFile(Buffer.from(text), ".env");

test.each<[string, Record<string, string>]>([
  ["", {}],
  ["\n\n# a comment\n  # another\n", {}],
  ["A=1", { A: "1" }],
  ["A=1\nB=2\n", { A: "1", B: "2" }],
  ["A=1\r\nB=2\r\n", { A: "1", B: "2" }],
  ["A=1\rB=2", { A: "1", B: "2" }],
  ["\ufeffA=1\nB=2", { A: "1", B: "2" }],
  ["A =  b c \t", { A: "b c" }],
  ["  export A=1", { A: "1" }],
  ["export=1", { export: "1" }],
  ["A=", { A: "" }],
  ["A= # none", { A: "" }],
  ["A=1 # one", { A: "1" }],
  ["A=b=c&d", { A: "b=c&d" }],
  ["A=it's", { A: "it's" }],
  ['A="b #c" # d', { A: "b #c" }],
  ["A='b#c'#d", { A: "b#c" }],
  ["A=`b\"'c`", { A: "b\"'c" }],
  ['A="b\\nc"', { A: "b\nc" }],
  ["AUTH_SECRET='a#b'", { AUTH_SECRET: "a#b" }],
  ["a.b-c=1", { "a.b-c": "1" }],
  ["A='b\u00a0c'", { A: "b\u00a0c" }],
  ["A=Grüße", { A: "Grüße" }],
])("%j is read, as Node.js reads it", (text, values) => {
  expect(parse(text)).toEqual(values);
  // Node.js reads the same, except for a byte order mark and a lone carriage return.
  expect(parseEnv(text.replace("\ufeff", "").replaceAll(/\r\n?/g, "\n"))).toEqual(values);
});

const assignment = "is no assignment; write NAME=value, or # before a comment";
const secret = (name: string) => `${name}: a secret with a # in it must be in quotes`;
const hash = "A: a value with a # in it must be in quotes, and a comment must have a space before it";

test.each([
  ["A: 1", [`line 1: ${assignment}`]],
  ["A=1\n\nhello\nB 2\n", [`line 3: ${assignment}`, `line 4: ${assignment}`]],
  ["A", [`line 1: ${assignment}`]],
  ["=1", [`line 1: ${assignment}`]],
  ["1A=2", [`line 1: ${assignment}`]],
  ["set A=1", [`line 1: ${assignment}`]],
  ["// A=1", [`line 1: ${assignment}`]],
  ["A\u00a0=1", [`line 1: ${assignment}`]],
  ["# a comment\nA=b#c", [`line 2: ${hash}`]],
  ["A=#c", [`line 1: ${hash}`]],
  ["AUTH_SECRET=a#b", [`line 1: ${secret("AUTH_SECRET")}`]],
  ["AUTH_SECRET=a #b", [`line 1: ${secret("AUTH_SECRET")}`]],
  ["AUTH_SECRET_PREVIOUS= #b", [`line 1: ${secret("AUTH_SECRET_PREVIOUS")}`]],
  ["ROLLCALL_TOKEN=#b", [`line 1: ${secret("ROLLCALL_TOKEN")}`]],
  ['A="b', ["line 1: A: the quote is not closed in its line"]],
  ['A="b\nc"', ["line 1: A: the quote is not closed in its line", `line 2: ${assignment}`]],
  ["A=\u00a0'b'", ["line 1: A: a value with an unusual space in it must be in quotes"]],
  ['A="b"c"', ["line 1: A: more follows the closing quote"]],
  ["A='b' c", ["line 1: A: more follows the closing quote"]],
  ["A=1\r\nB=2\r\nA=3", ["line 3: A is set in line 1 already"]],
])("%j is refused, by line number", (text, problems) => {
  expect(problemsOf(() => parse(text))).toEqual(problems.map((problem) => `.env ${problem}`));
});

test.each([
  ["UTF-16", Buffer.from("\ufeffA=1\r\nB=2\r\n", "utf16le"), 1],
  ["UTF-16 without a mark", Buffer.from("A=1\nB=2\n", "utf16le"), 1],
  ["Latin-1", Buffer.from("A=1\nB=Gr\u00fc\u00dfe\n", "latin1"), 2],
])("a file in %s is refused", (_name, bytes, line) => {
  const problems = problemsOf(() => parseEnvFile(bytes, ".env"));
  expect(problems).toEqual([`.env line ${line}: is not UTF-8; save the file as UTF-8`]);
});

describe("the file itself", () => {
  const path = (name: string) => join(folder, name);

  test("may be missing", () => {
    expect(readEnvFile(path("missing"))).toEqual({});
  });

  test("is read, also through a link", () => {
    writeFileSync(path("good"), "A=1\n");
    symlinkSync("good", path("link"));
    expect(readEnvFile(path("good"))).toEqual({ A: "1" });
    expect(readEnvFile(path("link"))).toEqual({ A: "1" });
  });

  test.each<[string, (path: string) => void, string]>([
    ["a folder", (at) => mkdirSync(at), "is a folder; it must be a file, or not there"],
    ["a link that leads nowhere", (at) => symlinkSync("nowhere", at), "can't be read (ENOENT)"],
    ["a link to itself", (at) => symlinkSync(at, at), "can't be read (ELOOP)"],
    ["a very large file", (at) => writeFileSync(at, "#".repeat(1024 ** 2 + 1)), "is larger than 1048576 bytes"],
  ])("must not be %s", (name, make, problem) => {
    make(path(name));
    expect(problemsOf(() => readEnvFile(path(name)))).toEqual([`${name}: ${problem}`]);
  });
});
