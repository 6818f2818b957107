import { expect, test } from "vitest";
import { hasTimeInTurn, isTurnOver, nextTurn, queueForTurn, timeInTurn } from "./loop-turn.ts";

function work(ms: number): void {
  const endMs = performance.now() + ms;
  while (performance.now() < endMs);
}

test("a turn that was held for long enough is over for all, and the next begins anew", async () => {
  await nextTurn();
  expect(isTurnOver()).toBe(false);
  work(11);
  expect(isTurnOver()).toBe(true);
  await nextTurn();
  expect(isTurnOver()).toBe(false);
});

test("two queued callbacks run in each turn, and all in the end", async () => {
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

test("work that waits for time resumes in order, some in each turn, and newcomers queue behind it", async () => {
  await nextTurn();
  const went: number[] = [];
  const turns: number[] = [];
  let turn = 0;
  const go = async (index: number) => {
    if (!hasTimeInTurn()) await timeInTurn();
    went.push(index);
    turns.push(turn);
    work(6);
  };
  const first = Array.from({ length: 4 }, (_, index) => go(index));
  await nextTurn();
  turn += 1;
  const second = [go(4), go(5)];
  const counting = setInterval(() => {
    turn += 1;
  }, 0);
  await Promise.all([...first, ...second]);
  clearInterval(counting);
  expect(went).toEqual([0, 1, 2, 3, 4, 5]);
  expect(new Set(turns).size).toBeGreaterThan(1);
});
