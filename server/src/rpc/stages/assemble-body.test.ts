import { randomInt } from "node:crypto";
import { Code } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { assembleBody } from "./assemble-body.ts";

function envelope(size: number): Buffer {
  const bytes = Buffer.alloc(5 + size, size % 251);
  bytes.writeUInt8(0, 0);
  bytes.writeUInt32BE(size, 1);
  return bytes;
}

async function* cut(bytes: Buffer, sizeOf: () => number): AsyncIterable<Uint8Array> {
  for (let start = 0; start < bytes.length; ) {
    const end = start + sizeOf();
    yield bytes.subarray(start, end);
    start = end;
  }
}

const cuts: [string, () => number][] = [
  ["single bytes", () => 1],
  ["six bytes", () => 6],
  ["pieces of any size", () => randomInt(1, 40)],
  ["one piece", () => 1_000_000],
];

describe.each(cuts)("a body cut into %s", (_name, sizeOf) => {
  const sizes = [0, 1, 5, 0, 0, 100, 3, 99, 0];

  test("comes out in whole envelopes, unchanged", async () => {
    const body = Buffer.concat(sizes.map(envelope));
    const pieces = await Array.fromAsync(assembleBody(cut(body, sizeOf), "application/grpc", 100));
    expect(Buffer.concat(pieces).equals(body)).toBe(true);
    expect(pieces.length).toBeLessThanOrEqual(sizes.length);
    const ends = new Set(sizes.map((_, index) => Buffer.concat(sizes.slice(0, index + 1).map(envelope)).length));
    let end = 0;
    for (const piece of pieces) {
      end += piece.length;
      expect(ends).toContain(end);
    }
  });

  test("comes out in one piece if it does not consist of envelopes", async () => {
    const body = envelope(90);
    expect(await Array.fromAsync(assembleBody(cut(body, sizeOf), "application/json", 100))).toEqual([
      new Uint8Array(body),
    ]);
  });

  test("throws when it ends within an envelope, after the complete ones", async () => {
    for (const length of [1, 4, 5, 6, 54]) {
      const body = Buffer.concat([envelope(3), envelope(50).subarray(0, length)]);
      const pieces: Uint8Array[] = [];
      const read = async () => {
        for await (const piece of assembleBody(cut(body, sizeOf), "application/grpc", 100)) pieces.push(piece);
      };
      await expect(read()).rejects.toMatchObject({ code: Code.InvalidArgument });
      expect(Buffer.concat(pieces).equals(envelope(3))).toBe(true);
    }
  });

  test("loses nothing when it is too long", async () => {
    for (const body of [envelope(500), Buffer.alloc(0)]) {
      for (const contentType of ["application/connect+json", "application/proto"]) {
        const pieces = await Array.fromAsync(assembleBody(cut(body, sizeOf), contentType, 100));
        expect(Buffer.concat(pieces).equals(body)).toBe(true);
      }
    }
  });
});

test("a message that is too long is passed on, not gathered", async () => {
  for (const contentType of ["application/connect+json", "application/proto"]) {
    const pieces = await Array.fromAsync(
      assembleBody(
        cut(envelope(10_000), () => 50),
        contentType,
        100,
      ),
    );
    expect(Math.max(...pieces.map(({ length }) => length))).toBeLessThanOrEqual(150);
  }
});

test.each([
  ["800,000 empty messages", Buffer.alloc(5 * 800_000), 5 * 64],
  ["messages of 64 KiB", Buffer.concat(Array(64).fill(envelope(65_536))), 256 * 1_024 + 65_541],
])("%s that arrive at once are passed on in small pieces, without loss", async (_, body, largest) => {
  const pieces = await Array.fromAsync(
    assembleBody(
      cut(body, () => body.length),
      "application/grpc-web+proto",
      100_000,
    ),
  );
  expect(Math.max(...pieces.map(({ length }) => length))).toBeLessThanOrEqual(largest);
  // There are no more pieces than necessary.
  expect(pieces.length).toBeLessThanOrEqual(Math.ceil(body.length / Math.min(largest, 256 * 1_024)));
  expect(Buffer.concat(pieces).equals(body)).toBe(true);
});

test.each([
  [true, 3],
  [false, 1_000],
])("a body whose client has gone (%s) comes to %i pieces of 1,000", async (hasGone, expected) => {
  const gone = new AbortController();
  const body = Buffer.alloc(5 * 64 * 1_000);
  let pieces = 0;
  const read = async () => {
    const source = cut(body, () => body.length);
    for await (const _ of assembleBody(source, "application/grpc", 100, gone.signal)) {
      pieces += 1;
      if (hasGone && pieces === 3) gone.abort(new Error("gone"));
    }
  };
  if (hasGone) await expect(read()).rejects.toThrow("gone");
  else await read();
  expect(pieces).toBe(expected);
});

test("a body whose client goes after its last piece does not end as a whole one", async () => {
  const gone = new AbortController();
  const pieces = assembleBody(
    cut(Buffer.from("{}"), () => 2),
    "application/json",
    100,
    gone.signal,
  );
  const iterator = pieces[Symbol.asyncIterator]();
  expect(await iterator.next()).toMatchObject({ done: false });
  gone.abort(new Error("gone"));
  await expect(iterator.next()).rejects.toThrow("gone");
});

test("others get a turn while a body is read that has arrived in full", async () => {
  let turns = 0;
  const timer = setInterval(() => {
    turns += 1;
  }, 1);
  // Far more pieces than could be read in time without yielding to others.
  const maxPieces = 2_000_000;
  let pieces = 0;
  async function* ready(): AsyncIterable<Uint8Array> {
    for (; turns < 4 && pieces < maxPieces; pieces++) yield envelope(1);
  }
  for await (const _ of assembleBody(ready(), "application/grpc", 100));
  clearInterval(timer);
  expect(pieces).toBeLessThan(maxPieces);
});
