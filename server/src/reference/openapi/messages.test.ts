import {
  create,
  createFileRegistry,
  type DescMessage,
  fromJson,
  type JsonValue,
  type MessageInitShape,
  setExtension,
} from "@bufbuild/protobuf";
import {
  type FieldDescriptorProtoSchema,
  FieldOptionsSchema,
  FileDescriptorProtoSchema,
  file_google_protobuf_duration,
  file_google_protobuf_field_mask,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
  file_google_protobuf_wrappers,
  FieldDescriptorProto_Label as Label,
  OneofOptionsSchema,
  FieldDescriptorProto_Type as Type,
} from "@bufbuild/protobuf/wkt";
import { createValidator } from "@bufbuild/protovalidate";
import {
  FieldRulesSchema,
  field as fieldRules,
  Ignore,
  OneofRulesSchema,
  oneof as oneofRules,
} from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { expect, test } from "vitest";
import { findMissing } from "../../rpc/interceptors/validation.ts";
import { MessageSchemas } from "./messages.ts";

type FieldInit = MessageInitShape<typeof FieldDescriptorProtoSchema>;
type Rules = MessageInitShape<typeof FieldRulesSchema>;

const imports = [
  file_google_protobuf_duration,
  file_google_protobuf_field_mask,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
  file_google_protobuf_wrappers,
].map(({ proto }) => proto);

/** Returns a message of one field, `value`, with these rules. */
function messageOf(field: FieldInit, rules?: Rules): DescMessage {
  const options = create(FieldOptionsSchema);
  if (rules) setExtension(options, fieldRules, create(FieldRulesSchema, rules));
  const { typeName = "" } = field;
  const value = { name: "value", jsonName: "value", number: 1, label: Label.OPTIONAL, ...field, typeName, options };
  return inFile({ field: [value] });
}

function inFile(message: NonNullable<MessageInitShape<typeof FileDescriptorProtoSchema>["messageType"]>[number]) {
  const file = create(FileDescriptorProtoSchema, {
    name: "test.proto",
    package: "test",
    syntax: "proto3",
    dependency: imports.map(({ name }) => name),
    enumType: [
      {
        name: "Colour",
        value: ["COLOUR_UNSPECIFIED", "RED", "GREEN"].map((name, number) => ({ name, number })),
      },
    ],
    messageType: [
      {
        nestedType: [
          {
            name: "Entry",
            field: [
              { name: "key", number: 1, type: Type.STRING, label: Label.OPTIONAL },
              { name: "value", number: 2, type: Type.INT32, label: Label.OPTIONAL },
            ],
            options: { mapEntry: true },
          },
        ],
        ...message,
        name: "Test",
      },
    ],
  });
  const registry = createFileRegistry(file, (name) => imports.find((one) => one.name === name));
  return registry.getMessage("test.Test") ?? expect.fail();
}

const validator = createValidator();

/** Returns whether a server accepts a message: it can be parsed, and keeps the rules. */
function isTaken(type: DescMessage, json: JsonValue): boolean {
  try {
    return validator.validate(type, fromJson(type, json)).kind === "valid";
  } catch {
    return false;
  }
}

function schemasOf(type: DescMessage) {
  const schemas = new MessageSchemas({ commentOf: () => undefined, missingIn: findMissing });
  schemas.request(type);
  return schemas.all();
}

/** Expects each message to be valid by its schema if, and only if, a server accepts it. */
function expectAgreement(type: DescMessage, messages: readonly JsonValue[]): void {
  const ajv = new Ajv2020({ strict: false });
  addFormats.default(ajv);
  ajv.addFormat("uint32", true);
  ajv.addSchema({ $id: "document", components: { schemas: schemasOf(type) } });
  const isValid = ajv.compile({ $ref: `document#/components/schemas/${type.typeName}` });
  const valid = messages.filter((message) => isValid(message));
  expect(valid).toEqual(messages.filter((message) => isTaken(type, message)));
}

const string = { type: Type.STRING };
const int32 = { type: Type.INT32 };
const strings = { type: Type.STRING, label: Label.REPEATED };
const colour = { type: Type.ENUM, typeName: ".test.Colour" };
const map = { type: Type.MESSAGE, typeName: ".test.Test.Entry", label: Label.REPEATED };
const wellKnown = (name: string) => ({ type: Type.MESSAGE, typeName: `.google.protobuf.${name}` });

const cases: [name: string, field: FieldInit, type: Rules["type"], values: JsonValue[]][] = [
  ["string.len", string, { case: "string", value: { len: 2n } }, ["", "a", "ab", "abc", "💚💚"]],
  ["string.pattern", string, { case: "string", value: { pattern: "^a+$" } }, ["", "a", "aa", "b"]],
  [
    "string.prefix, suffix, contains",
    string,
    { case: "string", value: { prefix: "a.", suffix: "z", contains: "m" } },
    ["a.mz", "axmz", "a.m", "a.z", ""],
  ],
  ["string.not_contains", string, { case: "string", value: { notContains: "(" } }, ["", "a", "a(b"]],
  ["string.const", string, { case: "string", value: { const: "a" } }, ["a", "b", ""]],
  ["string.in", string, { case: "string", value: { in: ["a", "b"] } }, ["a", "b", "c", ""]],
  ["string.not_in", string, { case: "string", value: { notIn: ["a"] } }, ["a", "b", ""]],
  ["string.uuid", string, { case: "string", value: { wellKnown: { case: "uuid", value: true } } }, ["", "a"]],
  ["string.ip", string, { case: "string", value: { wellKnown: { case: "ip", value: true } } }, ["::1", "1.2.3.4", "a"]],
  ["string.ipv4", string, { case: "string", value: { wellKnown: { case: "ipv4", value: true } } }, ["::1", "1.2.3.4"]],
  ["string.uri", string, { case: "string", value: { wellKnown: { case: "uri", value: true } } }, ["a:b", "b c", ""]],
  [
    "int32.gt and lte",
    int32,
    { case: "int32", value: { greaterThan: { case: "gt", value: 1 }, lessThan: { case: "lte", value: 3 } } },
    [1, 2, 3, 4, 0, 2.5, "a"],
  ],
  [
    "int32 outside of a range",
    int32,
    { case: "int32", value: { greaterThan: { case: "gte", value: 5 }, lessThan: { case: "lt", value: 2 } } },
    [1, 2, 4, 5, 0],
  ],
  ["int32 beyond 32 bits", int32, undefined, [2 ** 31, -(2 ** 31), 2 ** 31 - 1]],
  ["uint32", { type: Type.UINT32 }, { case: "uint32", value: { in: [1, 2] } }, [1, 2, 3, -1]],
  ["int64", { type: Type.INT64 }, undefined, ["1", "-1", "x"]],
  ["double", { type: Type.DOUBLE }, undefined, [1.5, "NaN", "Infinity", "x"]],
  ["bool.const", { type: Type.BOOL }, { case: "bool", value: { const: true } }, [true, false, "true"]],
  [
    "bytes",
    { type: Type.BYTES },
    { case: "bytes", value: { minLen: 2n, maxLen: 3n } },
    ["YQ==", "YWI=", "YWJj", "YWJjZA=="],
  ],
  ["enum", colour, { case: "enum", value: { definedOnly: true, notIn: [0] } }, ["RED", "BLUE", "COLOUR_UNSPECIFIED"]],
  ["enum.in", colour, { case: "enum", value: { in: [1] } }, ["RED", "GREEN"]],
  [
    "repeated",
    strings,
    { case: "repeated", value: { minItems: 1n, maxItems: 2n, unique: true } },
    [[], ["a"], ["a", "b"], ["a", "a"], ["a", "b", "c"]],
  ],
  [
    "repeated.items",
    strings,
    { case: "repeated", value: { items: { type: { case: "string", value: { minLen: 1n } } } } },
    [[], [""], ["a"]],
  ],
  [
    "map",
    map,
    {
      case: "map",
      value: {
        maxPairs: 1n,
        keys: { type: { case: "string", value: { minLen: 2n } } },
        values: { type: { case: "int32", value: { greaterThan: { case: "gt", value: 0 } } } },
      },
    },
    [{}, { ab: 1 }, { a: 1 }, { ab: 0 }, { ab: 1, cd: 2 }],
  ],
  [
    "field mask",
    wellKnown("FieldMask"),
    { case: "fieldMask", value: { in: ["user_name", "age"] } },
    ["", "userName", "userName,age", "age.years", "etag", "ages"],
  ],
  ["duration", wellKnown("Duration"), undefined, ["1s", "-1.5s", "1", "1m"]],
  ["timestamp", wellKnown("Timestamp"), undefined, ["2026-01-01T00:00:00Z", "2026-01-01", "now"]],
  ["wrapper", wellKnown("StringValue"), undefined, ["", "a", 1]],
  ["struct", wellKnown("Struct"), undefined, [{}, { a: [1, null] }, []]],
  ["value", wellKnown("Value"), undefined, [null, 1, "a", [], {}]],
];

test.each(cases)("the schema of %s takes what the server takes", (_name, field, type, values) => {
  expectAgreement(messageOf(field, type && { type }), [{}, ...values.map((value) => ({ value }))]);
});

test("the control: a schema without the rule is seen", () => {
  const type = messageOf(string, { type: { case: "string", value: { maxBytes: 1n } } });
  expect(() => expectAgreement(type, [{ value: "ab" }])).toThrow();
});

test.each([Ignore.IF_ZERO_VALUE, Ignore.ALWAYS])("of a rule that is ignored at times: %i", (ignore) => {
  const type = messageOf(string, { ignore, type: { case: "string", value: { minLen: 2n } } });
  expectAgreement(type, [{}, { value: "" }, { value: "ab" }, { value: "a" }]);
});

test("of a message that is required", () => {
  expectAgreement(messageOf(wellKnown("Struct"), { required: true }), [{}, { value: {} }]);
});

test.each([true, false])("of a oneof, required: %j", (required) => {
  const options = create(OneofOptionsSchema);
  setExtension(options, oneofRules, create(OneofRulesSchema, { required }));
  const member = { ...string, label: Label.OPTIONAL, oneofIndex: 0 };
  const type = inFile({
    oneofDecl: [{ name: "choice", options }],
    field: [
      { ...member, name: "one", jsonName: "one", number: 1 },
      { ...member, name: "two", jsonName: "two", number: 2 },
    ],
  });
  expectAgreement(type, [{}, { one: "" }, { two: "a" }, { one: "a", two: "a" }]);
});

test("what JSON Schema has no keyword for is told in words", () => {
  const property = (field: FieldInit, rules: Rules) =>
    schemasOf(messageOf(field, rules))["test.Test"]?.properties?.value;
  const gte: Rules["type"] = { case: "int64", value: { greaterThan: { case: "gte", value: 5n } } };
  expect(property({ type: Type.INT64 }, { type: gte })?.description).toBe('- gte: "5"');
  expect(property(string, { type: { case: "string", value: { maxBytes: 9n } } })?.description).toBe('- max bytes: "9"');
  const cel = [{ id: "odd", message: "must be odd", expression: "this % 2 == 1" }];
  expect(property(int32, { cel })?.description).toBe("- must be odd");
  const within: Rules["type"] = { case: "timestamp", value: { within: { seconds: 60n } } };
  expect(property(wellKnown("Timestamp"), { type: within })?.description).toBe('- within: "60s"');
});

test("a type that refers to itself is described once", () => {
  const type = messageOf({ type: Type.MESSAGE, typeName: ".test.Test" });
  expect(schemasOf(type)["test.Test"]?.properties?.value).toEqual({ $ref: "#/components/schemas/test.Test" });
});
