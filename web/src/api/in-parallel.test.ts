import { expect, test } from "vitest";
import { inParallel } from "./in-parallel.ts";

const turn = () => new Promise<void>((resolve) => setTimeout(resolve));

test("all items are run, so many at a time", async () => {
  let running = 0;
  let most = 0;
  const seen: number[] = [];
  await inParallel([1, 2, 3, 4, 5, 6, 7], 3, async (item) => {
    running += 1;
    most = Math.max(most, running);
    await turn();
    running -= 1;
    seen.push(item);
  });
  expect(seen.sort()).toEqual([1, 2, 3, 4, 5, 6, 7]);
  expect(most).toBe(3);
});

test("an error ends it, also one that comes while the next item is awaited, and the items are closed", async () => {
  const seen: number[] = [];
  let isClosed = false;
  async function* slowly() {
    try {
      for (let item = 0; ; item += 1) {
        await turn();
        yield item;
      }
    } finally {
      isClosed = true;
    }
  }
  const fail = async (item: number) => {
    seen.push(item);
    if (item === 2) throw new Error("no");
  };
  await expect(inParallel(slowly(), 10, fail)).rejects.toThrow("no");
  expect(seen.length).toBeLessThanOrEqual(4);
  expect(isClosed).toBe(true);
});
