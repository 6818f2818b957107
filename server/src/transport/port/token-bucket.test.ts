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
