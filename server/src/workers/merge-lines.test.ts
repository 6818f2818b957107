import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { mergeLines } from "./merge-lines.ts";

/** Returns the writes that result from these chunks. */
async function merge(chunks: readonly (string | Buffer)[]): Promise<string[]> {
  const input = new PassThrough();
  const written: string[] = [];
  mergeLines(input, { write: (lines) => written.push(lines) }, 2);
  for (const chunk of chunks) input.write(chunk);
  input.end();
  await new Promise((resolve) => input.once("end", () => setImmediate(resolve)));
  return written;
}

const euro = Buffer.from('{"a":"€"}\n');

test.each([
  ["whole lines", ['{"a":1}\n{"a":2}\n'], ['{"worker":2,"a":1}\n{"worker":2,"a":2}\n']],
  ["a line in pieces", ['{"a"', ":1}", '\n{"b'], ['{"worker":2,"a":1}\n', '{"worker":2,"b\n']],
  ["a character in pieces", [euro.subarray(0, 7), euro.subarray(7)], ['{"worker":2,"a":"€"}\n']],
  ["lines that are no JSON", ["Sign in at …\n\n"], ["Sign in at …\n\n"]],
  ["a line without an end", ["x".repeat(1024 ** 2 + 1), "y\n"], ["x".repeat(1024 ** 2 + 1), "y\n"]],
])("%s", async (_name, chunks, lines) => {
  expect(await merge(chunks)).toEqual(lines);
});
