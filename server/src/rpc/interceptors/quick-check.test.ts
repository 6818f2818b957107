import { create, createFileRegistry, type DescMessage, setExtension } from "@bufbuild/protobuf";
import {
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  FieldDescriptorProtoSchema,
  FieldOptionsSchema,
  FileDescriptorProtoSchema,
} from "@bufbuild/protobuf/wkt";
import { createValidator } from "@bufbuild/protovalidate";
import { FieldRulesSchema, field as fieldRules } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { StreamService } from "@rollcall/gen/stream/v1/stream";
import { CreateUserRequestSchema, UpdateUserRequestSchema, UserService } from "@rollcall/gen/user/v1/user";
import { createRandom } from "@rollcall/testing/random";
import { expect, test } from "vitest";
import { createQuickCheck } from "./quick-check.ts";

const seed = Number(process.env.FUZZ_SEED ?? 1);
const rounds = Number(process.env.FUZZ_CALLS ?? 400);
const random = createRandom(seed);
const validator = createValidator();

const CHARS = [
  ..."aZ09 .@!#-_~+",
  "\t",
  "\n",
  "\u0000",
  "\u007f",
  "\u0080",
  "é",
  "漢",
  "𝔸",
  "\u3000",
  "\u200b",
  "\u202e",
  "\u2800",
  "\u0301",
];
const TEXTS = [
  "",
  " ",
  "ada@example.com",
  "Ada Lovelace",
  "a@b",
  "a@b-.c",
  "a@-b",
  "a b@c",
  "x".repeat(64),
  "0198c7a0-1111-7222-8333-000000000000",
  "create_time",
  "name desc",
  " email  desc ",
  "name asc",
];
const LENGTHS = [1, 2, 62, 63, 64, 127, 128, 129, 199, 200, 201, 253, 254, 255, 1_023, 1_024, 1_025, 4_096, 4_097];

function randomText(): string {
  if (random.isOnce(2)) return random.pick(TEXTS);
  if (random.isOnce(3)) return random.pick(CHARS).repeat(random.pick(LENGTHS));
  if (random.isOnce(3)) return `${randomText().slice(0, 70)}@${randomText().slice(0, 70)}`;
  return Array.from({ length: random.below(20) }, () => random.pick(CHARS)).join("");
}

/** Gives every field of one kind a value, usually one at an edge of a rule. */
function randomMessage(schema: DescMessage) {
  const fields = schema.fields.flatMap(({ fieldKind, localName, ...field }): [string, unknown][] => {
    if (fieldKind === "list") {
      const texts = [randomText(), randomText()];
      return [[localName, Array.from({ length: random.pick([0, 1, 999, 1_000, 1_001]) }, () => random.pick(texts))]];
    }
    if (fieldKind !== "scalar" || random.isOnce(6)) return [];
    const isText = "scalar" in field && field.scalar === 9;
    const isNumber = "scalar" in field && field.scalar === 5;
    if (isText) return [[localName, randomText()]];
    return isNumber ? [[localName, random.pick([-2_147_483_648, -1, 0, 1, 999, 1_000, 1_001, 2_147_483_647])]] : [];
  });
  return create(schema, Object.fromEntries(fields));
}

const schemas = [UserService, StreamService].flatMap(({ methods }) => methods.map(({ input }) => input));

test.each(schemas)(`lets pass no $typeName that protovalidate refuses (FUZZ_SEED=${seed})`, (schema) => {
  const check = createQuickCheck(schema);
  if (!check) return;
  for (let i = 0; i < rounds; i++) {
    const message = randomMessage(schema);
    const { kind } = validator.validate(schema, message);
    if (check(message)) expect({ kind, message }).toEqual({ kind: "valid", message });
  }
});

test("lets the usual messages pass, and leaves rules that it does not know to protovalidate", () => {
  const usual = { email: "ada@example.com", name: "Ada Lovelace", requestId: "0198c7a0-1111-7222-8333-000000000000" };
  expect(createQuickCheck(CreateUserRequestSchema)?.(create(CreateUserRequestSchema, usual))).toBe(true);
  for (const wrong of [
    { email: "ada" },
    { name: " " },
    { name: "a\nb" },
    { requestId: "a b" },
    { name: "x".repeat(201) },
  ]) {
    const message = create(CreateUserRequestSchema, { ...usual, ...wrong });
    expect(createQuickCheck(CreateUserRequestSchema)?.(message)).toBe(false);
  }
  expect(createQuickCheck(UpdateUserRequestSchema)).toBe(undefined);
  expect(schemas.filter((schema) => !createQuickCheck(schema))).toEqual([UpdateUserRequestSchema]);
});

test("goes by a limit of 0 characters, as protovalidate does", () => {
  const options = create(FieldOptionsSchema);
  setExtension(options, fieldRules, create(FieldRulesSchema, { type: { case: "string", value: { maxLen: 0n } } }));
  const field = create(FieldDescriptorProtoSchema, {
    ...{ name: "text", number: 1, options },
    ...{ label: FieldDescriptorProto_Label.OPTIONAL, type: FieldDescriptorProto_Type.STRING },
  });
  const file = { name: "a.proto", syntax: "proto3", messageType: [{ name: "Empty", field: [field] }] };
  const schema = createFileRegistry(create(FileDescriptorProtoSchema, file), () => undefined).getMessage("Empty");
  if (!schema) throw new Error("the message is missing");
  const check = createQuickCheck(schema);
  for (const [text, isGood] of [
    ["", true],
    ["x", false],
  ] as const) {
    const message = create(schema, { text });
    expect([check?.(message), validator.validate(schema, message).kind === "valid"]).toEqual([isGood, isGood]);
  }
});
