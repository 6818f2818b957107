import { expect, test } from "vitest";
import { bulkWithKills, DOUBLED_EVERY, REFUSED_EVERY } from "./support/bulk-with-kills.ts";

test("an import over kill -9 of server and client adds everybody once, with an exact report; the export has them", async () => {
  const lines = 2_000;
  const outcome = await bulkWithKills({
    lines,
    kills: { server: 1, client: 1 },
    exportKills: { server: 0, client: 0 },
  });
  const refused = lines / REFUSED_EVERY;
  // Each line that is there twice stands beside one that is refused, or is refused itself: 2,000 is such a line.
  const doubled = lines / DOUBLED_EVERY - 1;
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
