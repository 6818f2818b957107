/**
 * Compares the symptoms and signals on the operations page with the code, and its index with all tables. The tables of
 * settings, metrics and limits have their own tests.
 */
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { tableBelow } from "@rollcall/testing/docs-table";
import { root } from "@rollcall/testing/root";
import { expect, test } from "vitest";

const read = (path: string) => readFileSync(join(root, path), "utf8");
const sources = globSync("server/src/**/*.ts", { cwd: root })
  .filter((path) => !path.endsWith(".test.ts"))
  .map(read)
  .join("\n");
const columnOf = (page: string, heading: string) => tableBelow(page, heading).map(([name = ""]) => name);
const metrics = columnOf("operations.md", "Metrics").map((name) => name.replaceAll("`", ""));
const settings = columnOf("configuration.md", "Settings").flatMap(codes);

/** Returns the texts in a cell that are formatted as code. */
function codes(cell: string): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, text = ""]) => text);
}

/** Returns the signs in a cell that are neither a metric nor in a log line. */
const unknownSigns = (cell: string) => codes(cell).filter((sign) => !metrics.includes(sign) && !sources.includes(sign));

/** Returns names of settings that do not exist. Settings of libraries begin with OTEL. */
const unknownSettings = (cell: string) =>
  codes(cell)
    .map((text) => text.replace(/=.*/, ""))
    .filter((text) => /^[A-Z_]{4,}$/.test(text) && !text.startsWith("OTEL_") && !settings.includes(text));

test.each(tableBelow("operations.md", "Symptoms"))("%s: shows in what there is, and is mended by it", (...cells) => {
  const [symptom = "", signs = "", remedy = ""] = cells;
  expect(codes(signs).length, symptom).toBeGreaterThan(0);
  expect(unknownSigns(signs)).toEqual([]);
  expect(unknownSettings(remedy)).toEqual([]);
});

test("a sign or a setting that is not there is found", () => {
  expect(unknownSigns("`rollcall_nothing`, `a line that nobody logs`")).toHaveLength(2);
  expect(unknownSettings("`NO_SUCH_SETTING`, `WORKERS`")).toEqual(["NO_SUCH_SETTING"]);
});

test("each signal that the server handles is in the table", () => {
  const handled = new Set([...read("server/src/main.ts").matchAll(/"(SIG[A-Z]+)"/g)].map(([, name = ""]) => name));
  const listed = columnOf("operations.md", "Signals").flatMap(codes);
  // No program can handle the last one.
  expect(listed.toSorted()).toEqual([...handled, "SIGKILL"].toSorted());
});

test("the index has each setting, signal, metric and limit, by name", () => {
  const rows = [
    ...columnOf("configuration.md", "Settings")
      .flatMap(codes)
      .map((name) => [`\`${name}\``, "[setting](configuration.md)"]),
    ...columnOf("operations.md", "Signals")
      .flatMap(codes)
      .map((name) => [`\`${name}\``, "[signal](#signals)"]),
    ...columnOf("operations.md", "Metrics").map((name) => [name, "[metric](#metrics)"]),
    ...columnOf("operations.md", "Limits").map((name) => [name, "[limit](#limits)"]),
  ];
  const keyOf = ([name = ""]: string[]) => name.replaceAll("`", "").toLowerCase();
  const byName = rows.toSorted((one, other) => (keyOf(one) < keyOf(other) ? -1 : 1));
  expect(tableBelow("operations.md", "Index")).toEqual(byName);
});
