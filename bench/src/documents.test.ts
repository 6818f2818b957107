import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { documentsOf, readLatest } from "./documents.ts";

const documents = Object.entries(documentsOf(readLatest()));

test.each(documents)("%s shows the latest run; if not, run `pnpm bench --publish`", (path, text) => {
  expect(readFileSync(join(import.meta.dirname, "../..", path), "utf8")).toBe(text);
});
