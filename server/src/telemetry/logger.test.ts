import { expect, test } from "vitest";
import { createLogger } from "./logger.ts";

test("text from a caller can't break out of its line, nor control a terminal", () => {
  const lines: string[] = [];
  const logger = createLogger("info", { write: (line) => lines.push(line) });
  const hostile = 'a\n{"level":"fatal"}\r\u001b[2J\u009b2J\u007f\u2028\u202e"\u2066\u200f\u061c';
  logger.info({ hostile }, hostile);
  expect(lines).toHaveLength(1);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
  expect(lines[0]?.trimEnd()).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202e\u2066\u200f\u061c]/);
  expect(JSON.parse(lines[0] ?? "")).toMatchObject({ level: "info", hostile, msg: hostile });
});
