import { expect, test } from "vitest";
import { BoundedQueue } from "./bounded-queue.ts";

test("values keep their order, including those that waited for a place", async () => {
  const queue = new BoundedQueue<number>(1);
  const read: number[] = [];
  const placed = [1, 2, 3].map((value) => queue.push(value));
  for await (const value of queue) {
    read.push(value);
    // This writer comes while another one waits for the place that has just become free.
    if (value === 1) placed.push(queue.push(4));
    if (value === 4) queue.end();
  }
  await Promise.all(placed);
  expect(read).toEqual([1, 2, 3, 4]);
});

test("what was written before the end arrives, and later writers get the error of the end", async () => {
  const queue = new BoundedQueue<number>(1);
  const placed = [queue.push(1), queue.push(2)];
  queue.end(new Error("over"));
  await expect(queue.push(3)).rejects.toThrow("over");
  expect(await Array.fromAsync(queue)).toEqual([1, 2]);
  await Promise.all(placed);
});

test("a failure behind the end ends the writers that still wait", async () => {
  const queue = new BoundedQueue<number>(1);
  const [, waiting] = [queue.push(1), queue.push(2)];
  queue.end();
  queue.fail(new Error("failed"));
  await expect(waiting).rejects.toThrow("failed");
});

test("no more values wait than the capacity; further writers wait for a place or the end", async () => {
  const queue = new BoundedQueue<number>(2);
  const outcomes: string[] = [];
  for (const value of [1, 2, 3, 4]) {
    void queue.push(value).then(
      () => outcomes.push(`${value} placed`),
      (error: Error) => outcomes.push(`${value} ${error.message}`),
    );
  }
  await Promise.resolve();
  expect(outcomes).toEqual(["1 placed", "2 placed"]);
  const reader = queue[Symbol.asyncIterator]();
  expect((await reader.next()).value).toBe(1);
  expect(outcomes).toEqual(["1 placed", "2 placed", "3 placed"]);
  queue.fail(new Error("failed"));
  await expect(queue.push(5)).rejects.toThrow("failed");
  expect(outcomes.at(-1)).toBe("4 failed");
  // Values that are already in the queue are still read.
  expect([(await reader.next()).value, (await reader.next()).value]).toEqual([2, 3]);
  await expect(reader.next()).rejects.toThrow("failed");
});

test("the sizes of waiting values are bounded together, a larger value waits alone, and all keep their order", async () => {
  const queue = new BoundedQueue<string>(10, { maxSize: 5, sizeOf: (value) => value.length });
  const placed: string[] = [];
  // The last one would fit, but stands behind one that does not.
  const pushes = ["abc", "de", "fghijkl", "m"].map((value) => queue.push(value).then(() => placed.push(value)));
  const reader = queue[Symbol.asyncIterator]();
  await Promise.resolve();
  expect(placed).toEqual(["abc", "de"]);
  expect((await reader.next()).value).toBe("abc");
  expect(placed).toEqual(["abc", "de"]);
  expect((await reader.next()).value).toBe("de");
  expect(placed).toEqual(["abc", "de", "fghijkl"]);
  expect((await reader.next()).value).toBe("fghijkl");
  await Promise.all(pushes);
  expect((await reader.next()).value).toBe("m");
});
