import { expect, test } from "vitest";
import { fileFault } from "./file-fault.ts";

test.each([
  ["ENOENT", "does not exist"],
  ["EISDIR", "is a folder, not a file"],
  ["EACCES", "can't be read: this user has no permission"],
  ["EIO", "can't be read (EIO)"],
])("a file that fails with %s: %s", (code, words) => {
  expect(fileFault(Object.assign(new Error("no"), { code }))).toBe(words);
});
