import { expect, test } from "vitest";
import { counted } from "./counted.ts";

test("one thing has no plural", () => {
  const all = [0, 1, 2, 1_500].map((count) => counted(count, "user"));
  expect(all).toEqual(["0 users", "1 user", "2 users", "1500 users"]);
  expect(counted(1_500, "user", (count) => count.toLocaleString("en"))).toBe("1,500 users");
});
