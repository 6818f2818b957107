import { expect, test } from "vitest";
import { randomUuidV7 } from "./uuid-v7.ts";

test("ids are UUIDs of version 7 that begin with their time, and differ", () => {
  const before = Date.now();
  const ids = Array.from({ length: 1_000 }, () => randomUuidV7());
  const after = Date.now();
  expect(new Set(ids).size).toBe(1_000);
  for (const id of ids) {
    expect(id).toMatch(/^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/);
    const time = Number.parseInt(id.slice(0, 13).replace("-", ""), 16);
    expect(time).toBeGreaterThanOrEqual(before);
    expect(time).toBeLessThanOrEqual(after);
  }
});
