import { openSqliteUserRepository } from "@rollcall/server";
import { launchChromium } from "@rollcall/testing/chromium";
import { HITS_OF_PAGES } from "@rollcall/testing/feed-hits";
import { runFeed } from "@rollcall/testing/feed-run";
import { expect, test } from "vitest";
import { makeWatchPage, waysOfPages } from "./support/page-watches.ts";

const seed = Number(process.env.FUZZ_SEED ?? 1);

test(`pages and WebSockets that are cut off and go on miss nothing (FUZZ_SEED=${seed})`, async () => {
  await using browser = await launchChromium();
  await using page = await makeWatchPage();
  const report = await runFeed({
    seed,
    changes: 150,
    writers: 8,
    cutAfter: 40,
    kept: 60,
    replicas: 1,
    leastHits: HITS_OF_PAGES,
    open: async () => openSqliteUserRepository({ path: ":memory:" }),
    only: waysOfPages(browser),
    webRoot: page.webRoot,
  });
  expect(report.faults).toEqual([]);
  expect(report.missing).toEqual([]);
});
