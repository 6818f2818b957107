import { expect, test } from "vitest";
import { Chain } from "./chain.ts";

test("keeps values in order, and removes each once, also while it is gone through", () => {
  const chain = new Chain<number>();
  const links = [0, 1, 2, 3, 4].map((value) => chain.add(value));
  expect([...chain]).toEqual([0, 1, 2, 3, 4]);
  expect([chain.remove(links[2]), chain.remove(links[2]), chain.remove(undefined)]).toEqual([true, false, false]);
  const seen: number[] = [];
  for (const value of chain) {
    seen.push(value);
    if (value !== 1) chain.remove(links[value]);
  }
  expect(seen).toEqual([0, 1, 3, 4]);
  expect([...chain]).toEqual([1]);
  chain.add(5);
  expect([[...chain], chain.size]).toEqual([[1, 5], 2]);
});
