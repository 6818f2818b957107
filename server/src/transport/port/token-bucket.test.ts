import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { TokenBucket } from "./token-bucket.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("a bucket allows its burst, then nothing, then what comes back with time", () => {
  const bucket = new TokenBucket({ burst: 3, perSecond: 20 });
  expect(bucket.isFull).toBe(true);
  expect([bucket.spend(2), bucket.spend(1)]).toEqual([true, true]);
  expect(bucket.spend(3)).toBe(false);
  vi.advanceTimersByTime(140);
  expect(bucket.isFull).toBe(false);
  vi.advanceTimersByTime(20);
  expect(bucket.isFull).toBe(true);
  expect(bucket.spend(3)).toBe(true);
});

test("a bucket that is overspent owes some bursts, and allows nothing until that has come back", () => {
  const bucket = new TokenBucket({ burst: 3, perSecond: 60 });
  expect([bucket.overspend(3), bucket.isOverspent]).toEqual([true, false]);
  expect([bucket.overspend(100), bucket.isOverspent]).toEqual([false, true]);
  vi.advanceTimersByTime(190);
  expect(bucket.isOverspent).toBe(true);
  vi.advanceTimersByTime(20);
  expect([bucket.isOverspent, bucket.isFull]).toEqual([false, false]);
  vi.advanceTimersByTime(50);
  expect(bucket.isFull).toBe(true);
  bucket.overspend(100);
  expect(bucket.spend(0)).toBe(false);
});
