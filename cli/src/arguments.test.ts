import { expect, test } from "vitest";
import { checkArguments } from "./arguments.ts";

test("an argument that is not UTF-8 is refused by its position, without quoting it", () => {
  expect(() => checkArguments(["query", "--token", "secret\uFFFD"])).toThrow(/^argument 3 has U\+FFFD(?!.*secret)/);
});

test("other arguments are accepted", () => {
  checkArguments(["query", "", "Ren\u00e9", "\u{1F600}"]);
});
