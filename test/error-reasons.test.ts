import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ErrorReasonSchema, file_rollcall_errors_v1_error_reason } from "@rollcall/gen/rollcall/errors/v1/error_reason";
import { tableBelow } from "@rollcall/testing/docs-table";
import { root } from "@rollcall/testing/root";
import { expect, test } from "vitest";

const reasons = ErrorReasonSchema.values.slice(1).map(({ localName }) => localName);
const WRITER = "server/src/rpc/errors.ts";
/** File that compares the reasons' names: pages leave out the enum's descriptor. The compiler checks the names. */
const READER = "client/src/errors.ts";
/** Files that read, describe and write google.rpc.ErrorInfo. They use the enum. */
const OWNERS = [READER, "server/src/reference/openapi/create-document.ts", WRITER];

/** Returns reasons that a source spells out instead of naming the enum's value. */
function spelledReasons(source: string): string[] {
  const literals = [...source.matchAll(/["'`]([A-Z]+(?:_[A-Z]+)*)["'`]/g)].map(([, text = ""]) => text);
  const given = [...source.matchAll(/\breason\b[^\n"'`]{0,8}["'`]([A-Z][A-Z_]*)["'`]/g)].map(([, text = ""]) => text);
  return [...new Set([...literals.filter((text) => reasons.includes(text.replace(/^ERROR_REASON_/, ""))), ...given])];
}

test("no source spells out a reason of an error, or writes an ErrorInfo beside the enum", () => {
  const files = globSync("{server,client,cli,web,shared,pem}/src/**/*.{ts,tsx}", { cwd: root });
  const sources = files
    .filter((path) => !path.includes(".test.") && !path.includes(".contract."))
    .map((path) => ({ path: path.replaceAll("\\", "/"), text: readFileSync(join(root, path), "utf8") }));
  expect(sources.length).toBeGreaterThan(300);
  const others = sources.filter(({ path }) => path !== READER);
  expect(others.flatMap(({ path, text }) => spelledReasons(text).map((reason) => `${path}: ${reason}`))).toEqual([]);
  expect(sources.find(({ path }) => path === READER)?.text).toContain("type ReasonName = keyof typeof ErrorReason");
  const users = sources.filter(({ text }) => /\bErrorInfoSchema\b/.test(text)).map(({ path }) => path);
  expect(users.toSorted()).toEqual(OWNERS);
  // Each reason is sent.
  const writer = sources.find(({ path }) => path === WRITER)?.text;
  expect(reasons.filter((reason) => !writer?.includes(`errorInfo(ErrorReason.${reason})`))).toEqual([]);

  // The control: reasons of both kinds are found.
  expect(spelledReasons('errorInfo("EMAIL_TAKEN"); const info = { reason: "OUT_OF_CHEESE" };')).toEqual([
    "EMAIL_TAKEN",
    "OUT_OF_CHEESE",
  ]);
});

test("the manual lists the reasons", () => {
  expect(tableBelow("calling.md", "Reasons of errors").map(([reason]) => reason)).toEqual(
    reasons.map((reason) => `\`${reason}\``),
  );
});

test("the text of a reason is the name of its value without the prefix", () => {
  const [{ value: values = [] } = {}] = file_rollcall_errors_v1_error_reason.proto.enumType;
  expect(values.slice(1).map(({ name }) => name)).toEqual(reasons.map((reason) => `ERROR_REASON_${reason}`));
  expect(reasons).toContain("EMAIL_TAKEN");
});
