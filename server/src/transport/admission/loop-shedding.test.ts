import { expect, test } from "vitest";
import { LoopShedding } from "./loop-shedding.ts";

const light = {};
const heavy = {};

/** Offers calls between two checks. Returns how many were let in. */
function offer(shedding: LoopShedding, calls: number, connection = light): number {
  let entered = 0;
  for (let i = 0; i < calls; i++) {
    if (!shedding.mayEnter(connection)) continue;
    shedding.noteEntered();
    entered += 1;
  }
  return entered;
}

const create = () => new LoopShedding(100, (connection) => connection === heavy);

function rounds(shedding: LoopShedding, count: number, delayMs: number, calls = 100): number[] {
  return Array.from({ length: count }, () => {
    const entered = offer(shedding, calls);
    shedding.look(delayMs);
    return entered;
  });
}

test("nothing is refused while delays are short, or long now and then", () => {
  const shedding = create();
  for (let i = 0; i < 20; i++) {
    expect(rounds(shedding, 7, 5_000)).toEqual(Array(7).fill(100));
    expect(rounds(shedding, 1, 100)).toEqual([100]);
  }
});

test("when each look is late, ever fewer are let in, down to a few; then more again, and all", () => {
  const shedding = create();
  const late = rounds(shedding, 40, 101);
  expect(late.slice(0, 10)).toEqual([...Array(8).fill(100), 80, 64]);
  expect(late.at(-1)).toBe(8);
  const calm = rounds(shedding, 20, 0);
  expect(calm[0]).toBe(8);
  expect(calm.every((entered, i) => entered >= (calm[i - 1] ?? 0))).toBe(true);
  expect(calm.at(-1)).toBe(100);
  expect(offer(shedding, 10_000)).toBe(10_000);
});

test("connections with much under way are refused first", () => {
  const shedding = create();
  rounds(shedding, 8, 101);
  expect(offer(shedding, 100, heavy)).toBe(40);
  expect(offer(shedding, 100, light)).toBe(40);
});

test("there is nothing to look for when no calls come and none are refused", () => {
  const shedding = create();
  expect(shedding.look(0)).toBe(false);
  offer(shedding, 1);
  expect(shedding.look(0)).toBe(true);
  rounds(shedding, 8, 101);
  offer(shedding, 100);
  expect(shedding.look(0)).toBe(true);
  expect(shedding.look(0)).toBe(false);
});
