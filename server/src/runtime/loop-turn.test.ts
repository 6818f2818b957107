import { expect, test } from "vitest";
import { isTurnOver, nextTurn, queueForTurn } from "./loop-turn.ts";

function work(ms: number): void {
  const endMs = performance.now() + ms;
  while (performance.now() < endMs);
}

test("a turn is over once it has been held, for all, and the next begins anew", async () => {
  await nextTurn();
  expect(isTurnOver()).toBe(false);
  work(11);
  expect(isTurnOver()).toBe(true);
  await nextTurn();
  expect(isTurnOver()).toBe(false);
});

test("of those in the queue two go on in a turn, and all in the end", async () => {
  const went: number[] = [];
  for (let index = 0; index < 5; index++) queueForTurn(() => went.push(index));
  const counts: number[] = [];
  for (let turn = 0; turn < 4; turn++) {
    await nextTurn();
    counts.push(went.length);
  }
  expect(counts).toEqual([2, 4, 5, 5]);
  expect(went).toEqual([0, 1, 2, 3, 4]);
});
