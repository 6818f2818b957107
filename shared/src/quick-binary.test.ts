import { create, type DescMessage, fromBinary, type Message, ScalarType, toBinary } from "@bufbuild/protobuf";
import { BidiResponseSchema, ServerStreamResponseSchema } from "@rollcall/gen/stream/v1/stream";
import {
  CreateUserRequestSchema,
  DeleteUserRequestSchema,
  GetUserRequestSchema,
  ListUsersRequestSchema,
  UpdateUserRequestSchema,
} from "@rollcall/gen/user/v1/user";
import { createRandom } from "@rollcall/testing/random";
import { expect, test } from "vitest";
import { createQuickBinary } from "./quick-binary.ts";

const schemas: DescMessage[] = [
  CreateUserRequestSchema,
  DeleteUserRequestSchema,
  GetUserRequestSchema,
  BidiResponseSchema,
  ServerStreamResponseSchema,
];
const CASES = 5_000;
/** Tags of texts, of other kinds of fields, and of fields that do not exist. */
const TAGS = [0x0a, 0x12, 0x1a, 0x22, 0x0b, 0x08, 0x00, 0x8a];
/** Tags of numbers, and of a field that is none. */
const NUMBER_TAGS = [0x10, 0x10, 0x08];
/** Varints of 0, 0 in two bytes, 1, 300, the largest in four bytes, the smallest in five, 2^32 and -1. */
const VARINTS = ["00", "8000", "01", "ac02", "ffffff7f", "8080808001", "808080808001", "ffffffffffffffffff01"];
const TEXTS = ["", "a", "Ada Lovelace", "ünal", "\u0000\u007f", "😀", "x".repeat(127), "x".repeat(128)];

const seed = Number(process.env.FUZZ_SEED ?? 1);
const random = createRandom(seed);

/** Returns how protobuf reads the bytes; undefined if they are malformed. */
function readByProtobuf(schema: DescMessage, bytes: Uint8Array): Message | undefined {
  try {
    return fromBinary(schema, bytes);
  } catch {
    return undefined;
  }
}

/** Makes fields, some of them cut off or with a wrong tag or length. */
function madeUpBytes(): Buffer {
  const parts = Array.from({ length: random.below(4) }, () => {
    if (random.below(4) === 0) {
      return Buffer.concat([Buffer.from([random.pick(NUMBER_TAGS)]), Buffer.from(random.pick(VARINTS), "hex")]);
    }
    const text = Buffer.from(random.pick(TEXTS));
    const length = random.below(8) === 0 ? random.below(256) : Math.min(text.byteLength, 255);
    return Buffer.concat([Buffer.from([random.pick(TAGS), length]), text]);
  });
  const bytes = Buffer.concat(parts);
  return random.below(8) === 0 ? bytes.subarray(0, random.below(bytes.byteLength + 1)) : bytes;
}

test.each(schemas)(`reads $name like protobuf, or leaves it to that (FUZZ_SEED=${seed})`, (schema) => {
  const read = createQuickBinary(schema);
  let count = 0;
  for (let i = 0; i < CASES; i++) {
    const bytes = madeUpBytes();
    const message = read?.(bytes);
    if (message) expect(message, bytes.toString("hex")).toEqual(readByProtobuf(schema, bytes));
    if (message) count += 1;
  }
  expect(count).toBeGreaterThan(CASES / 20);
});

test.each(schemas)("reads $name in its plainest form", (schema) => {
  const read = createQuickBinary(schema);
  const message = create(
    schema,
    Object.fromEntries(
      schema.fields.map(({ localName, scalar }) => [localName, scalar === ScalarType.INT32 ? 300 : `${localName}!`]),
    ),
  );
  expect(read?.(toBinary(schema, message))).toEqual(message);
  expect(read?.(new Uint8Array())).toEqual(create(schema));
});

test("leaves messages with other fields to protobuf", () => {
  expect(createQuickBinary(ListUsersRequestSchema)).toBe(undefined);
  expect(createQuickBinary(UpdateUserRequestSchema)).toBe(undefined);
});

test("leaves negative and large numbers to protobuf", () => {
  const read = createQuickBinary(ServerStreamResponseSchema);
  const ofSequence = (sequence: number) => create(ServerStreamResponseSchema, { data: "x", sequence });
  const readSequence = (sequence: number) => read?.(toBinary(ServerStreamResponseSchema, ofSequence(sequence)));
  for (const sequence of [1, 127, 128, 2 ** 28 - 1]) expect(readSequence(sequence)).toEqual(ofSequence(sequence));
  for (const sequence of [2 ** 28, 2 ** 31 - 1, -1, -(2 ** 31)]) expect(readSequence(sequence)).toBe(undefined);
  expect(read?.(Uint8Array.of(0x10, 0x80))).toBe(undefined);
});

test("leaves texts that are not ASCII, long ones, unknown fields and cut ones to protobuf", () => {
  const read = createQuickBinary(GetUserRequestSchema);
  for (const id of ["é", "x".repeat(128)]) {
    expect(read?.(toBinary(GetUserRequestSchema, create(GetUserRequestSchema, { id })))).toBe(undefined);
  }
  expect(read?.(Uint8Array.of(0x12, 1, 0x61))).toBe(undefined);
  expect(read?.(Uint8Array.of(0x0a, 2, 0x61))).toBe(undefined);
});
