import { expect, test } from "vitest";
import { MAX_TIMER_MS } from "./max-timer-ms.ts";

test("a timer waits for so long, and fires at once beyond", async () => {
  const fired: string[] = [];
  const longest = setTimeout(() => fired.push("longest"), MAX_TIMER_MS);
  await new Promise((resolve) => setTimeout(resolve, MAX_TIMER_MS + 1));
  clearTimeout(longest);
  expect(fired).toEqual([]);
});
