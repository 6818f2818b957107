import { expect, test } from "vitest";
import { createReader } from "./reader.ts";

function readOne(value: string | undefined, read: (reader: ReturnType<typeof createReader>) => unknown) {
  const problems: string[] = [];
  return { value: read(createReader({ X: value }, problems)), problems };
}

const size =
  "X: must be a size from 10 to 4194304 bytes, such as 4194304, 4MiB (1024 × 1024 each) or 10MB (1000 × 1000)";
test.each<[string | undefined, number, string[]]>([
  [undefined, 11, []],
  [" ", 11, []],
  ["10", 10, []],
  ["4MiB", 4_194_304, []],
  [" 1 MB ", 1_000_000, []],
  ["9", 11, [size]],
  ["4.1MiB", 11, [size]],
  ["1M", 11, [size]],
  ["1_000", 11, [size]],
  ["0x10", 11, [size]],
])("the size %j", (text, value, problems) => {
  expect(readOne(text, (read) => read.bytes("X", { byDefault: 11, min: 10, max: 4_194_304 }))).toEqual({
    value,
    problems,
  });
});

const time = "X: must be a time from 1 to 60000 milliseconds, such as 30000, 500ms, 30s, 5m or 1h";
test.each<[string | undefined, number, string[]]>([
  [undefined, 11, []],
  ["30", 30, []],
  ["30s", 30_000, []],
  ["1m", 60_000, []],
  ["0s", 11, [time]],
  ["61s", 11, [time]],
  ["1h30m", 11, [time]],
  ["30 seconds", 11, [time]],
  ["-1", 11, [time]],
])("the time %j", (text, value, problems) => {
  expect(readOne(text, (read) => read.milliseconds("X", { byDefault: 11, min: 1, max: 60_000 }))).toEqual({
    value,
    problems,
  });
});

const integer = "X: must be a whole number from 1 to 99";
test.each<[string | undefined, number, string[]]>([
  [undefined, 11, []],
  ["99", 99, []],
  ["100", 11, [integer]],
  ["1s", 11, [integer]],
  ["1kB", 11, [integer]],
  ["1.0", 11, [integer]],
])("the whole number %j", (text, value, problems) => {
  expect(readOne(text, (read) => read.integer("X", { byDefault: 11, min: 1, max: 99 }))).toEqual({ value, problems });
});

test("a list has its entries without surrounding spaces, and no empty ones", () => {
  expect(readOne(" a, b ,,c,", (read) => read.list("X")).value).toEqual(["a", "b", "c"]);
  expect(readOne(undefined, (read) => read.list("X")).value).toEqual([]);
});
