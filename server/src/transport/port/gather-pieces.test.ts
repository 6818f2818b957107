import { Readable } from "node:stream";
import { expect, test } from "vitest";
import { gatherPieces } from "./gather-pieces.ts";

const READ_BYTES = 64 * 1_024;

/** Creates a body that is read only on request. Pieces of socket reads of 64 KiB are pushed to it. */
function createBody({ isCrowded = false } = {}) {
  const body = new Readable({ read() {}, highWaterMark: READ_BYTES });
  const heldBytes = gatherPieces(body, { onPiece() {}, isDone: () => false, isCrowded: () => isCrowded });
  return { body, heldBytes, push: (bytes: number, value: number) => body.push(pieceOf(bytes, value)) };
}

/** Creates a piece as Node.js passes it on: a view of everything that was read with it. */
function pieceOf(bytes: number, value: number): Buffer {
  return Buffer.from(new ArrayBuffer(READ_BYTES), 100, bytes).fill(value);
}

const endOfTurn = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

/** Reads everything that is available. Returns it, and how much memory its pieces keep. */
function readAll(body: Readable): { values: number[]; memoryBytes: number } {
  const values: number[] = [];
  const memory = new Set<ArrayBufferLike>();
  for (let piece = body.read(); piece; piece = body.read()) {
    memory.add(piece.buffer);
    for (const value of piece) if (values.at(-1) !== value) values.push(value);
  }
  return { values, memoryBytes: [...memory].reduce((sum, { byteLength }) => sum + byteLength, 0) };
}

test("waiting pieces take little more than their own bytes, and keep their order", async () => {
  const { body, heldBytes, push } = createBody({ isCrowded: true });
  for (let value = 0; value < 30; value++) {
    push(value % 3 === 0 ? 200 : 1_500, value);
    if (value % 4 === 0) await endOfTurn();
  }
  await endOfTurn();
  const waiting = body.readableLength + heldBytes();
  expect(waiting).toBeGreaterThanOrEqual(10 * 200 + 20 * 1_500);
  expect(waiting).toBeLessThan(40_000);
  const { values, memoryBytes } = readAll(body);
  expect(values).toEqual(Array.from({ length: 30 }, (_, value) => value));
  expect(memoryBytes).toBeLessThan(80_000);
  expect(heldBytes()).toBe(0);
});

test("a single piece is passed on unchanged, and copied only on a crowded connection", () => {
  for (const isCrowded of [false, true]) {
    const { body, push } = createBody({ isCrowded });
    push(16_384, 1);
    expect(body.read().buffer.byteLength).toBe(isCrowded ? 16_384 : READ_BYTES);
  }
});

test("a reader that keeps up gets pieces uncopied and in the same turn", () => {
  const { body, push } = createBody();
  for (let value = 0; value < 4; value++) push(16_000, value);
  expect(readAll(body)).toEqual({ values: [0, 1, 2, 3], memoryBytes: 4 * READ_BYTES });
  push(16_000, 4);
  push(200, 5);
  body.push(null);
  expect(readAll(body).values).toEqual([4, 5]);
});
