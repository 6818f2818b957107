import { expect, test } from "vitest";
import { formatBytes } from "./format-bytes.ts";

test.each([
  [0, "0 B"],
  [0.4, "0 B"],
  [1, "1 B"],
  [1_023, "1023 B"],
  [1_024, "1.0 KiB"],
  [1_536, "1.5 KiB"],
  [1_023_999, "1000.0 KiB"],
  [64 * 1_024 ** 2, "64.0 MiB"],
  [3 * 1_024 ** 3, "3.0 GiB"],
  [5_000 * 1_024 ** 4, "5000.0 TiB"],
])("%d bytes are %s", (bytes, text) => {
  expect(formatBytes(bytes, "en")).toBe(text);
});

test("the number is the reader's", () => {
  expect(formatBytes(1_536, "de")).toBe("1,5 KiB");
});
