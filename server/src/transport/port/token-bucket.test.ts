import { until } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";
import { TokenBucket } from "./token-bucket.ts";

test("a bucket allows its burst, then nothing, then what comes back with time", async () => {
  const bucket = new TokenBucket({ burst: 3, perSecond: 20 });
  expect(bucket.isFull).toBe(true);
  expect([bucket.spend(2), bucket.spend(1)]).toEqual([true, true]);
  expect(bucket.spend(3)).toBe(false);
  await until(() => bucket.isFull);
  expect(bucket.spend(3)).toBe(true);
});

test("a bucket that is overspent owes some bursts, and allows nothing until that has come back", async () => {
  const bucket = new TokenBucket({ burst: 3, perSecond: 60 });
  expect([bucket.overspend(3), bucket.isOverspent]).toEqual([true, false]);
  expect([bucket.overspend(100), bucket.isOverspent, bucket.spend(0)]).toEqual([false, true, false]);
  await until(() => !bucket.isOverspent);
  await until(() => bucket.isFull);
});
