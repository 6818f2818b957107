import { expect, test } from "vitest";
import { costOf } from "./cost-of.ts";

test("a chunk costs more than its bytes, also an empty one", () => {
  expect(costOf(new Uint8Array())).toBe(256);
  expect(costOf(new Uint8Array(1_000))).toBe(1_256);
});
