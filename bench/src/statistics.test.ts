import { expect, test } from "vitest";
import { median, percentile, ratioOf, spreadOf } from "./statistics.ts";

test("the median is the value in the middle, whatever the order", () => {
  expect(median([5, 1, 100])).toBe(5);
  expect(median([4, 1, 2, 100])).toBe(3);
  expect(median([7])).toBe(7);
  expect(() => median([])).toThrow("no values");
});

test("a percentile is a value that was measured", () => {
  const oneToThousand = Array.from({ length: 1_000 }, (_, index) => 1_000 - index);
  expect(percentile(oneToThousand, 50)).toBe(500);
  expect(percentile(oneToThousand, 99)).toBe(990);
  expect(percentile(oneToThousand, 99.9)).toBe(999);
  expect(percentile([3], 50)).toBe(3);
  expect(percentile([3, 4], 0)).toBe(3);
  expect(() => percentile([], 50)).toThrow("no values");
});

test("a ratio compares medians, and needs a limit", () => {
  const half = spreadOf([1, 2, 9]);
  expect(half).toEqual({ median: 2, min: 1, max: 9 });
  expect(ratioOf(half, spreadOf([4]))).toBe(0.5);
  expect(ratioOf(half, undefined)).toBeUndefined();
  expect(ratioOf(undefined, half)).toBeUndefined();
  expect(ratioOf(half, spreadOf([0]))).toBeUndefined();
});
