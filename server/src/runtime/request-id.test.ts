import { expect, test } from "vitest";
import { requestIdFrom } from "./request-id.ts";

test("keeps a valid id, and makes different UUIDs of version 4 in place of others", () => {
  expect(requestIdFrom("a-1")).toBe("a-1");
  const made = Array.from({ length: 1_000 }, () => requestIdFrom("not valid"));
  expect(new Set(made).size).toBe(1_000);
  for (const id of made) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});
