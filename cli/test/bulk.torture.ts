import { expect, test } from "vitest";
import { bulkWithKills } from "./support/bulk-with-kills.ts";

/** Number of lines in the file. A million take some ten minutes on two idle cores. */
const LINES = Number(process.env.BULK_LINES ?? 1_000_000);
const KILLS = { server: 10, client: 2 };
const EXPORT_KILLS = { server: 3, client: 3 };

test("a million lines are imported and exported over kill -9 of server and client, everybody once", async () => {
  const outcome = await bulkWithKills({ lines: LINES, kills: KILLS, exportKills: EXPORT_KILLS });
  const { created, skipped, failed } = JSON.parse(outcome.import.stdout);
  console.info({ created, failed, ...outcome.hits });
  expect(created + failed).toBe(LINES);
  expect(skipped).toBe(0);
  const { users, emails, exportedLines, exportedEmails } = outcome;
  expect([users, emails, exportedLines, exportedEmails]).toEqual([created, created, created, created]);
  expect(outcome.hits).toEqual({
    serverInImport: KILLS.server,
    clientInImport: KILLS.client,
    serverInExport: EXPORT_KILLS.server,
    clientInExport: EXPORT_KILLS.client,
  });
}, 3_600_000);
