import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSqliteUserRepository } from "@rollcall/server";
import { launchChromium } from "@rollcall/testing/chromium";
import { HITS_OF_PAGES } from "@rollcall/testing/feed-hits";
import { runFeed } from "@rollcall/testing/feed-run";
import { expect, test } from "vitest";
import { makeWatchPage, waysOfPages } from "./support/page-watches.ts";

const events = Number(process.env.FEED_EVENTS ?? 100_000);

test("the promises hold over 100,000 events that pages and WebSockets saw", async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), "rollcall-feed-"));
  await using browser = await launchChromium();
  await using page = await makeWatchPage();
  const ways = waysOfPages(browser);
  const seed = Date.now();
  // Each change is seen by a quarter of the filters, and therefore of the watchers; others see some changes.
  const changes = Math.ceil(events / (ways.length * 0.7));
  const { faults, ...report } = await runFeed({
    seed,
    changes,
    writers: 16,
    cutAfter: Math.min(2_000, Math.ceil(changes / 20)),
    kept: 2_000,
    replicas: 1,
    leastHits: HITS_OF_PAGES,
    open: async () => openSqliteUserRepository({ path: join(folder.path, "users.db") }),
    only: ways,
    webRoot: page.webRoot,
  });
  console.log("feed in pages", { seed, ...report });
  expect(faults).toEqual([]);
  expect(report.events).toBeGreaterThanOrEqual(events);
  expect(report.missing).toEqual([]);
});
