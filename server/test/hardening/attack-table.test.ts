import { globSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { tableBelow } from "@rollcall/testing/docs-table";
import { root } from "@rollcall/testing/root";
import { expect, test } from "vitest";
import { writeFigures } from "./support/attack-figures.ts";
import { attackRows } from "./support/attack-rows.ts";

const files = globSync("server/{src,test}/**/*.{test,torture}.ts", { cwd: root });
const rows = ["Frames and connections", "Bytes and time", "Words"].flatMap((heading) => {
  const table = tableBelow("attacks.md", heading);
  expect(table.length).toBeGreaterThan(10);
  return table.map((cells) => ({ attack: cells[0] ?? "", named: cells.at(-1) ?? "" }));
});

/** Returns the test files of a row that contain its words. */
function testsOf(named: string): string[] {
  const [, name, words] = /^`([^`]+)`: ?(.*)$/.exec(named) ?? [];
  return files.filter(
    (file) => basename(file) === name && readFileSync(join(root, file), "utf8").includes(words ?? "no words"),
  );
}

test.each(rows)("$attack has its test", ({ named }) => {
  expect(testsOf(named), named).not.toEqual([]);
});

test("a row whose test is not there is found", () => {
  expect(testsOf("`pings.test.ts`: no such words")).toEqual([]);
  expect(testsOf("`nothing.test.ts`: end it")).toEqual([]);
});

test("each row is measured, but for two", () => {
  const attacks = Object.keys(attackRows).flatMap((heading) => tableBelow("attacks.md", heading).map(([name]) => name));
  const measured = Object.values(attackRows).flatMap((of) => of.map(({ name }) => name));
  const unmeasured = ["more calls than a server takes", "requests made up at random"];
  expect([...measured, ...unmeasured].sort()).toEqual(attacks.sort());
});

test("figures are written into the cells of their rows alone", () => {
  const page = "text\n| a | b | – | – | – | `t` |\n| a b | c | 1 | 2 | 3 | `t` |\n";
  const figures = new Map([["a", ["2.0", "3 MiB", "4 ms"]]] as const);
  expect(writeFigures(page, figures)).toBe(page.replace("– | – | –", "2.0 | 3 MiB | 4 ms"));
});

test("every file of attacks has a row", () => {
  const named = rows.map((row) => row.named).join();
  const attacks = files.map((file) => basename(file)).filter((name) => /^attack.*test\.ts$/.test(name));
  const unnamed = attacks.filter((name) => !named.includes(`\`${name}\``));
  // The long forms of the first two are in the table.
  expect(unnamed.sort()).toEqual(["attack-bombs.slow.test.ts", "attack-rows.slow.test.ts", "attack-table.test.ts"]);
});
