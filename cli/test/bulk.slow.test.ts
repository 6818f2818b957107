import { expect, test } from "vitest";
import { bulkWithKills, DOUBLED_EVERY, REFUSED_EVERY } from "./support/bulk-with-kills.ts";

test("an import over kill -9 of server and client adds everybody once, with an exact report; the export has them", async () => {
  const run = (lines: number) =>
    bulkWithKills({ lines, kills: { server: 1, client: 1 }, exportKills: { server: 0, client: 0 } });
  let lines = 2_000;
  let outcome = await run(lines);
  // On a busy machine, an import may be over before its progress is checked. Then a longer one is tried.
  for (; lines < 16_000 && outcome.hits.serverInImport + outcome.hits.clientInImport < 2; outcome = await run(lines)) {
    lines *= 2;
  }
  const refused = lines / REFUSED_EVERY;
  // Each duplicate is refused as one, except each 2,000th, which is itself invalid.
  const doubled = lines / DOUBLED_EVERY - lines / 2_000;
  const created = lines - refused - doubled;
  expect(outcome.hits).toMatchObject({ serverInImport: 1, clientInImport: 1 });
  expect(JSON.parse(outcome.import.stdout)).toEqual({ created, skipped: 0, failed: refused + doubled });
  const reports = outcome.import.stderr.match(/^\{"line":.*\}$/gm)?.map((report) => JSON.parse(report)) ?? [];
  expect(reports.filter(({ code }) => code === "invalid_argument")).toHaveLength(refused);
  expect(reports.filter(({ code }) => code === "already_exists")).toHaveLength(doubled);
  const { users, emails, exportedLines, exportedEmails } = outcome;
  expect([users, emails, exportedLines, exportedEmails]).toEqual([created, created, created, created]);
  expect(JSON.parse(outcome.export.stdout)).toEqual({ exported: created });
});
