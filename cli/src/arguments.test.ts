import { expect, test } from "vitest";
import { checkArguments } from "./arguments.ts";

test("an argument that was not UTF-8 is refused by its place, and not repeated", () => {
  expect(() => checkArguments(["query", "--token", "secret\uFFFD"])).toThrow(/^argument 3 has U\+FFFD(?!.*secret)/);
});

test("other arguments are taken", () => {
  checkArguments(["query", "", "Ren\u00e9", "\u{1F600}"]);
});
