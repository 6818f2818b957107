import { expect, test } from "vitest";
import { parseDuration, parseSize } from "./units.ts";

test.each([
  ["4MiB", 4_194_304],
  ["4 MiB", 4_194_304],
  ["4mib", 4_194_304],
  ["10MB", 10_000_000],
  ["10mb", 10_000_000],
  ["512kB", 512_000],
  ["512KB", 512_000],
  ["512KiB", 524_288],
  ["1GB", 1e9],
  ["1.5GiB", 1_610_612_736],
  ["2TB", 2e12],
  ["1TiB", 1_099_511_627_776],
  ["4096B", 4_096],
  ["0.1KiB", 102],
  // Sizes must have a unit here, and M and G mean different things in different programs.
  ["4096", undefined],
  ["10M", undefined],
  ["4G", undefined],
  ["4MiB/s", undefined],
  ["4,5MB", undefined],
  ["1e3KB", undefined],
  ["-1MB", undefined],
  [".5MB", undefined],
  ["4  MB", undefined],
  ["4constructor", undefined],
  ["MB", undefined],
  ["", undefined],
])("the size %j is %j bytes", (text, bytes) => {
  expect(parseSize(text)).toBe(bytes);
});

test.each([
  ["500ms", 500],
  ["30s", 30_000],
  ["30 s", 30_000],
  ["30S", 30_000],
  ["5m", 300_000],
  ["5min", 300_000],
  ["1h", 3_600_000],
  ["1.5h", 5_400_000],
  ["0.25s", 250],
  ["7d", 604_800_000],
  ["30", undefined],
  ["1h30m", undefined],
  ["PT30S", undefined],
  ["30 seconds", undefined],
  ["-1s", undefined],
  ["s", undefined],
])("the duration %j is %j milliseconds", (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});
