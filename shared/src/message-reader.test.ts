import { expect, test } from "vitest";
import { envelope } from "./envelope.ts";
import { MessageReader } from "./message-reader.ts";

const messages = ["", "a", "bc".repeat(50), "", "d".repeat(70_000), "e"].map((text) => Buffer.from(text));
const body = Buffer.concat(messages.map((message, index) => envelope(index % 2, message)));

/** Feeds a body to a reader in pieces of the given size, and takes complete messages after each. */
function read(pieceBytes: number, mayWait: boolean, maxBytes = 100_000) {
  const reader = new MessageReader(maxBytes);
  const taken: { flags: number; text: string }[] = [];
  const take = () => {
    for (let message = reader.take(); message; message = reader.take()) {
      taken.push({ flags: reader.flags, text: Buffer.from(message).toString() });
    }
  };
  for (let start = 0; start < body.byteLength; start += pieceBytes) {
    reader.push(body.subarray(start, start + pieceBytes), mayWait);
    if (!mayWait) take();
  }
  const queuedBytes = reader.queuedBytes;
  take();
  return { reader, taken, queuedBytes };
}

const all = messages.map((message, index) => ({ flags: index % 2, text: message.toString() }));

test.each([1, 2, 3, 4, 5, 6, 7, 11, 100, 5_000, body.byteLength])(
  "reads a body in pieces of %i bytes",
  (pieceBytes) => {
    for (const mayWait of [false, true]) {
      const { reader, taken, queuedBytes } = read(pieceBytes, mayWait);
      expect(taken).toEqual(all);
      expect(queuedBytes).toBe(mayWait ? body.byteLength : 0);
      expect(reader).toMatchObject({ queuedBytes: 0, heldBytes: 0, isWithin: false, tooLargeBytes: undefined });
    }
  },
);

test.each([1, 5, 1_000, body.byteLength])(
  "stops at a message that is too large, in pieces of %i bytes",
  (pieceBytes) => {
    const { reader, taken } = read(pieceBytes, true, 1_000);
    expect(taken).toEqual(all.slice(0, 4));
    expect(reader).toMatchObject({ queuedBytes: 0, heldBytes: 0, tooLargeBytes: 70_000 });
  },
);

test("knows where a body ends within an envelope, its header included", () => {
  for (let length = 1; length < 8; length++) {
    const reader = new MessageReader(100);
    reader.push(envelope(0, Buffer.from("abc")).subarray(0, length), false);
    expect(reader.isWithin).toBe(length < 8);
    expect(reader.take()).toBe(undefined);
  }
});

test("makes no room for what only the header claims", () => {
  const reader = new MessageReader(4 * 1024 ** 2);
  const head = Buffer.from([0, 0, 0x3f, 0, 0]);
  reader.push(head, false);
  for (let bytes = 0; bytes < 100_000; bytes += 1_000) {
    expect(reader.heldBytes).toBeLessThanOrEqual(8 * (bytes + 5));
    reader.push(new Uint8Array(1_000), false);
  }
  expect(reader.heldBytes).toBeLessThan(4 * 100_000);
});

test("gives messages whose slices are copies", () => {
  const reader = new MessageReader(100);
  reader.push(envelope(0, Buffer.from("abc")), false);
  const message = reader.take();
  expect(message).not.toBeInstanceOf(Buffer);
  const copy = message?.slice();
  message?.fill(0);
  expect(Buffer.from(copy ?? []).toString()).toBe("abc");
});

test("makes no room ahead while its connection holds much", () => {
  const roomFor = (hasRoom: boolean) => {
    const reader = new MessageReader(4 * 1024 ** 2, () => hasRoom);
    reader.push(envelope(0, new Uint8Array(1024 ** 2)).subarray(0, 16_384), false);
    return reader.heldBytes;
  };
  expect(roomFor(false)).toBe(16_384);
  expect(roomFor(true)).toBe(128 * 1_024);
});

test.each([
  ["that waits keeps nothing else", true, 5_005],
  ["that is taken at once is not copied", false, 65_536],
])("of what was read with a message, one %s", (_, mayWait, keptBytes) => {
  const reader = new MessageReader(10_000);
  const read = new Uint8Array(65_536);
  read.set(envelope(0, new Uint8Array(5_000)), 30_000);
  reader.push(read.subarray(30_000, 35_005), mayWait);
  expect(reader.take()?.buffer.byteLength).toBe(keptBytes);
});

test("uses the memory of lent messages again, and has not lost it after readers that were cleared", () => {
  const large = ["f", "g", "h"].map((text) => envelope(0, Buffer.from(text.repeat(70_000))));
  const lend = () => {
    const reader = new MessageReader(100_000, () => true, true);
    return large.map((message) => {
      reader.push(message.subarray(0, 10_000), false);
      reader.push(message.subarray(10_000), false);
      const taken = reader.take();
      return { memory: taken?.buffer, text: String.fromCharCode(taken?.[0] ?? 0), bytes: taken?.byteLength, reader };
    });
  };
  for (let i = 0; i < 100; i++) {
    const [first, second, third] = lend();
    expect([first, second, third].map((one) => one?.text)).toEqual(["f", "g", "h"]);
    expect(third?.bytes).toBe(70_000);
    expect(third?.memory).toBe(first?.memory);
    // The second message began to arrive while the first was still being read.
    expect(second?.memory).not.toBe(first?.memory);
    third?.reader.push(large[0]?.subarray(0, 10_000) ?? new Uint8Array(), true);
    third?.reader.clear();
  }
  const one = envelope(0, Buffer.alloc(70_000));
  const keeping = new MessageReader(100_000);
  const memories = [one, one].map((message) => {
    keeping.push(message.subarray(0, 10_000), false);
    keeping.push(message.subarray(10_000), false);
    return keeping.take()?.buffer;
  });
  expect(memories[0]).not.toBe(memories[1]);
});
