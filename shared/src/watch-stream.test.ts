import { getEventListeners } from "node:events";
import { expect, test } from "vitest";
import { type StreamEnd, watchStream } from "./watch-stream.ts";

/** Creates a stream of three numbers, followed by an error if it fails. It records the reader's calls. */
function source({ fails = false, hangs = false } = {}) {
  const calls: string[] = [];
  async function* numbers() {
    try {
      yield 1;
      yield 2;
      yield 3;
      if (hangs) await new Promise(() => {});
      if (fails) throw new Error("source failed");
    } finally {
      calls.push("cleaned up");
    }
  }
  return { calls, numbers: numbers() };
}

async function read<T>(messages: AsyncIterable<T>): Promise<T[]> {
  const read: T[] = [];
  for await (const message of messages) read.push(message);
  return read;
}

function watched(options: Parameters<typeof source>[0] = {}, signal?: AbortSignal) {
  const { calls, numbers } = source(options);
  const seen: number[] = [];
  const ends: StreamEnd[] = [];
  const stream = watchStream(numbers, {
    onMessage: (message) => seen.push(message),
    mapError: (error) => new Error("mapped", { cause: error }),
    onEnd: (end) => ends.push(end),
    signal,
  });
  return { calls, seen, ends, stream };
}

test("a reader gets all messages, and the end is reported once", async () => {
  const { seen, ends, stream } = watched();
  const iterator = stream[Symbol.asyncIterator]();
  expect([await iterator.next(), await iterator.next(), await iterator.next()]).toEqual(
    [1, 2, 3].map((value) => ({ done: false, value })),
  );
  expect(ends).toEqual([]);
  expect([await iterator.next(), await iterator.next()]).toEqual(Array(2).fill({ done: true, value: undefined }));
  expect(seen).toEqual([1, 2, 3]);
  expect(ends).toEqual([{ how: "complete" }]);
});

test("without hooks it is the same stream", async () => {
  expect(await read(watchStream(source().numbers, {}))).toEqual([1, 2, 3]);
  await expect(read(watchStream(source({ fails: true }).numbers, {}))).rejects.toThrow("source failed");
});

test("the source may be read in another way, with an end of its own", async () => {
  const { numbers, calls } = source({ fails: true });
  const ends: StreamEnd[] = [];
  const stream = watchStream(numbers, {
    read: async (next) => next().catch(() => ({ done: true, value: undefined })),
    onEnd: (end) => ends.push(end),
  });
  expect(await read(stream)).toEqual([1, 2, 3]);
  expect(calls).toEqual(["cleaned up"]);
  expect(ends).toEqual([{ how: "complete" }]);
});

test("an error of a hook ends the stream, and the source cleans up", async () => {
  const { numbers, calls } = source();
  const refuse = (message: number) => {
    if (message === 2) throw new Error("refused");
  };
  await expect(read(watchStream(numbers, { onMessage: refuse }))).rejects.toThrow("refused");
  expect(calls).toEqual(["cleaned up"]);
});

test("an error of the source is mapped", async () => {
  const { seen, ends, stream } = watched({ fails: true });
  const error = await read(stream).catch((error: unknown) => error);
  expect(error).toMatchObject({ message: "mapped", cause: { message: "source failed" } });
  expect(seen).toEqual([1, 2, 3]);
  expect(ends).toEqual([{ how: "failed", error }]);
});

test("a reader that leaves waits for its source to clean up", async () => {
  const { calls, ends, stream } = watched();
  for await (const message of stream) {
    expect(message).toBe(1);
    break;
  }
  expect(calls).toEqual(["cleaned up"]);
  expect(ends).toEqual([{ how: "left" }]);
});

test("an error of the reader is not mapped, and the source cleans up", async () => {
  const { calls, ends, stream } = watched();
  const iterator = stream[Symbol.asyncIterator]();
  await iterator.next();
  const error = new Error("reader failed");
  await expect(iterator.throw?.(error)).rejects.toBe(error);
  expect(calls).toEqual(["cleaned up"]);
  expect(ends).toEqual([{ how: "failed", error }]);
});

test("a source may have neither return nor throw", async () => {
  const bare = { [Symbol.asyncIterator]: () => ({ next: async () => ({ done: false as const, value: 1 }) }) };
  for (const signal of [undefined, new AbortController().signal]) {
    const iterator = watchStream(bare, { signal })[Symbol.asyncIterator]();
    expect(await iterator.return?.("left")).toEqual({ done: true, value: "left" });
    await expect(iterator.throw?.(new Error("reader failed"))).rejects.toThrow("reader failed");
  }
});

test("the reader gets the signal's reason while the source hangs", async () => {
  const controller = new AbortController();
  const { ends, stream } = watched({ hangs: true }, controller.signal);
  const iterator = stream[Symbol.asyncIterator]();
  for (let count = 0; count < 3; count++) await iterator.next();
  const pending = iterator.next();
  const reason = new Error("stopped");
  controller.abort(reason);
  await expect(pending).rejects.toBe(reason);
  await expect(iterator.next()).rejects.toBe(reason);
  expect(ends).toEqual([{ how: "failed", error: reason }]);
});

test("with a signal, a reader leaves a source that hangs", async () => {
  const { ends, stream } = watched({ hangs: true }, new AbortController().signal);
  const iterator = stream[Symbol.asyncIterator]();
  for (let count = 0; count < 3; count++) await iterator.next();
  void iterator.next();
  expect(await iterator.return?.()).toEqual({ done: true, value: undefined });
  expect(ends).toEqual([{ how: "left" }]);
});

test("a signal that was aborted before ends the stream ahead of its first message", async () => {
  const { calls, seen, ends, stream } = watched({}, AbortSignal.abort(new Error("stopped")));
  await expect(read(stream)).rejects.toThrow("stopped");
  expect(seen).toEqual([]);
  expect(ends).toHaveLength(1);
  // The source was never started.
  expect(calls).toEqual([]);
});

test.each(["complete", "failed", "left"] as const)("no listener is left on the signal after %s", async (how) => {
  const { signal } = new AbortController();
  const { ends, stream } = watched({ fails: how === "failed" }, signal);
  const iterator = stream[Symbol.asyncIterator]();
  expect(getEventListeners(signal, "abort")).toHaveLength(1);
  if (how === "left") await iterator.return?.();
  else for (let count = 0; count < 4; count++) await iterator.next().catch(() => {});
  expect(getEventListeners(signal, "abort")).toEqual([]);
  expect(ends).toMatchObject([{ how }]);
});
