import { mkdtempDisposable, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startServer, until } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";
import { startTerminal } from "./support/terminal.ts";

async function startImport(rows: readonly string[], columns: number) {
  const server = await startServer();
  const folder = await mkdtempDisposable(join(tmpdir(), "rollcall-terminal-"));
  const path = join(folder.path, "users.csv");
  await writeFile(path, `email,name\n${rows.join("\n")}\n`);
  const env = { ROLLCALL_ADDRESS: server.url, ROLLCALL_TOKEN: await server.token() };
  const terminal = startTerminal(["users", "import", path], { env, columns });
  return {
    server,
    terminal,
    async [Symbol.asyncDispose]() {
      terminal[Symbol.dispose]();
      await folder.remove();
      await server[Symbol.asyncDispose]();
    },
  };
}

/** Number of refused lines: more than a screen has rows. They are spread among valid lines. */
const refusedCount = 30;
const userCount = 300;
const rowsOf = (count: number) =>
  Array.from({ length: count }, (_, index) =>
    index % 10 === 5 ? `not-an-address-${index},Nobody` : `user${index}@example.com,User ${index}`,
  );
const rows = rowsOf(userCount);
/** Returns whether a row reports a retry, which can happen on a busy machine. */
const isWait = (row: string) => row === "trying again: unavailable: server is overloaded";
const summaryOf = (count: number) => `${0.9 * count} users created, 0 skipped, ${0.1 * count} failed.`;
const summary = summaryOf(userCount);

/** Returns whether a row reports a refused line. The violation is on a row of its own. */
const isReport = (row: string) => /^line \d+: invalid_argument: validation failed$/.test(row);
const isViolation = (row: string) => /^ {2}email: /.test(row);
const isBar = (row: string) => /^[█░]* ?\d+% {2}[\d,]+ of 300 users( {2}[\d,]+\/s {2}\S.* left)?$/.test(row);

test("on a terminal, each refused line stands whole above one bar, which counts users", async () => {
  await using setup = await startImport(rows, 100);
  expect(await setup.terminal.exited()).toBe(1);
  const shown = setup.terminal.rows();
  // At the end, there are only the reports, the full bar and the summary.
  expect(shown.filter(isReport)).toHaveLength(refusedCount);
  expect(new Set(shown.filter(isReport)).size).toBe(refusedCount);
  expect(shown.filter((row) => !isReport(row) && !isViolation(row) && !isWait(row))).toEqual([
    expect.stringMatching(/^█{24} 100% {2}300 of 300 users {2}[\d,]+\/s {2}0s left$/),
    summary,
  ]);
  // There never was a partial bar, or a bar after a report.
  const others = [...setup.terminal.history].filter((row) => row !== "" && !isReport(row) && !isViolation(row));
  expect(others.filter((row) => !isBar(row) && !isWait(row) && row !== summary)).toEqual([]);
});

test("in a terminal of 30 columns the bar takes one row too", async () => {
  await using setup = await startImport(rows, 30);
  expect(await setup.terminal.exited()).toBe(1);
  const shown = setup.terminal.rows();
  expect(shown.filter((row) => row.includes("%"))).toEqual(["100%  300 of 300 users"]);
  expect(shown.filter((row) => row.startsWith("line "))).toHaveLength(refusedCount);
});

test("a terminal that becomes narrower and wider again keeps one bar", async () => {
  // There are enough users that refused lines remain after each resize, even if a busy machine shows many together.
  await using setup = await startImport(rowsOf(4 * userCount), 100);
  const { terminal } = setup;
  for (const columns of [40, 24, 90]) {
    const before = terminal.rows().filter((row) => row.startsWith("line ")).length;
    await until(() => terminal.rows().filter((row) => row.startsWith("line ")).length > before + 3);
    await terminal.resize(columns);
  }
  expect(await terminal.exited()).toBe(1);
  expect(terminal.rows().filter((row) => row.includes("%"))).toHaveLength(1);
  expect(terminal.rows().at(-1)).toBe(summaryOf(4 * userCount));
});

test("Ctrl-C leaves the bar where it was, and the cursor below it", async () => {
  const many = Array.from({ length: 20_000 }, (_, index) => `user${index}@example.com,User ${index}`);
  await using setup = await startImport(many, 100);
  const { terminal } = setup;
  await until(() => terminal.rows().some((row) => /[1-9]\d* of 20,000 users/.test(row)));
  terminal.process.write("\u0003");
  expect(await terminal.exited()).toBe(130);
  const shown = terminal.rows();
  expect(shown.filter((row) => row.includes("of 20,000 users"))).toHaveLength(1);
  expect(shown.join("")).toMatch(/rollcall: canceled: \d+ users created, 0 skipped, 0 failed; run it again to go on$/);
});
