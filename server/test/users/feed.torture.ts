import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hitsOfMatrix } from "@rollcall/testing/feed-hits";
import { type FeedRunOptions, runFeed } from "@rollcall/testing/feed-run";
import { sharedPostgres } from "@rollcall/testing/shared-postgres";
import { expect, test } from "vitest";
import { openPostgresUserRepository } from "../../src/repository/postgres/user-repository.ts";
import { openSqliteUserRepository } from "../../src/repository/sqlite/user-repository.ts";
import { addressOf } from "../support/address-of.ts";
import { delayCommits } from "./support/delay-commits.ts";

const changes = Number(process.env.FEED_CHANGES ?? 100_000);
const options = { seed: Date.now(), changes, writers: 32, cutAfter: Math.min(2_000, changes / 20), kept: 1_000 };

async function run(more: Pick<FeedRunOptions, "open" | "replicas">): Promise<void> {
  const { faults, ...report } = await runFeed({ ...options, ...more, leastHits: hitsOfMatrix(more.replicas) });
  console.log("feed", { seed: options.seed, ...report });
  expect(faults).toEqual([]);
  expect(report.missing).toEqual([]);
  expect(report.complete).toBeGreaterThan(0);
}

test("100,000 changes by 32 writers, watched by clients that are cut off, on SQLite", async () => {
  const folder = mkdtempSync(join(tmpdir(), "rollcall-feed-"));
  try {
    await run({ replicas: 1, open: async () => openSqliteUserRepository({ path: join(folder, "users.db") }) });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("the same on two replicas of PostgreSQL", async () => {
  const postgres = await sharedPostgres();
  const url = await postgres.createSchema();
  const open = () => openPostgresUserRepository({ address: addressOf(url), timeoutMs: 60_000 });
  await (await open()).close();
  await postgres.query(delayCommits(), url);
  await run({ replicas: 2, open });
});
