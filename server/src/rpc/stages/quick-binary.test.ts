import { create, type DescMessage, fromBinary, type Message, toBinary } from "@bufbuild/protobuf";
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

const schemas: DescMessage[] = [CreateUserRequestSchema, DeleteUserRequestSchema, GetUserRequestSchema];
const CASES = 5_000;
/** Tags of texts, of other kinds of fields, and of fields that do not exist. */
const TAGS = [0x0a, 0x12, 0x1a, 0x22, 0x0b, 0x08, 0x00, 0x8a];
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
    Object.fromEntries(schema.fields.map(({ localName }) => [localName, `${localName}!`])),
  );
  expect(read?.(toBinary(schema, message))).toEqual(message);
  expect(read?.(new Uint8Array())).toEqual(create(schema));
});

test("leaves messages with other fields to protobuf", () => {
  expect(createQuickBinary(ListUsersRequestSchema)).toBe(undefined);
  expect(createQuickBinary(UpdateUserRequestSchema)).toBe(undefined);
});

test("leaves texts that are not ASCII, long ones, unknown fields and cut ones to protobuf", () => {
  const read = createQuickBinary(GetUserRequestSchema);
  for (const id of ["é", "x".repeat(128)]) {
    expect(read?.(toBinary(GetUserRequestSchema, create(GetUserRequestSchema, { id })))).toBe(undefined);
  }
  expect(read?.(Uint8Array.of(0x12, 1, 0x61))).toBe(undefined);
  expect(read?.(Uint8Array.of(0x0a, 2, 0x61))).toBe(undefined);
});
