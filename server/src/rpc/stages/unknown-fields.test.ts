import { StructSchema } from "@bufbuild/protobuf/wkt";
import { BadRequestSchema } from "@rollcall/gen/google/rpc/error_details";
import { ListUsersResponseSchema, UpdateUserRequestSchema } from "@rollcall/gen/user/v1/user";
import { expect, test } from "vitest";
import { unknownFields } from "./unknown-fields.ts";

test("fields of nested messages are named with their paths", () => {
  const json = {
    fieldViolations: [{ field: "a" }, { feild: "b", description: "c" }],
    field_violations: [{ descripton: "d" }],
    more: { fieldViolations: 1 },
  };
  expect(unknownFields(BadRequestSchema, json)).toEqual([
    "fieldViolations[1].feild",
    "field_violations[0].descripton",
    "more",
  ]);
  expect(unknownFields(ListUsersResponseSchema, { users: [{ createdAt: "2030-01-01T00:00:00Z", nmae: 1 }] })).toEqual([
    "users[0].nmae",
  ]);
});

test("messages with a JSON form of their own are not searched", () => {
  expect(unknownFields(StructSchema, { anything: { goes: 1 } })).toEqual([]);
  expect(unknownFields(UpdateUserRequestSchema, { updateMask: { paths: ["a"] } })).toEqual([]);
});

test.each([undefined, null, 1, "x", [], [{ nmae: 1 }], { users: null }, { users: 1 }, { users: [null, 1, "x", []] }])(
  "%j has no unknown field: what is of the wrong kind is the parser's to refuse",
  (json) => {
    expect(unknownFields(ListUsersResponseSchema, json)).toEqual([]);
  },
);

test("property names that every object has are not fields", () => {
  expect(unknownFields(UpdateUserRequestSchema, JSON.parse('{"__proto__":1,"constructor":2,"toString":3}'))).toEqual([
    "__proto__",
    "constructor",
    "toString",
  ]);
});

test("the list is short, however many there are, and so are its names", () => {
  const json = Object.fromEntries(Array.from({ length: 1_000 }, (_, n) => [`${n}${"\u{1f600}".repeat(200)}`, n]));
  const found = unknownFields(UpdateUserRequestSchema, json);
  expect(found).toHaveLength(20);
  for (const name of found) {
    expect(name.length).toBeLessThanOrEqual(200);
    expect(name.isWellFormed()).toBe(true);
  }
});
