import { equals, fromJsonString } from "@bufbuild/protobuf";
import { UserService } from "@rollcall/gen/user/v1/user";
import { createRandom } from "@rollcall/testing/random";
import { expect, test } from "vitest";
import { createQuickJson } from "./quick-json.ts";

const seed = Number(process.env.FUZZ_SEED ?? 1);
const rounds = Number(process.env.FUZZ_CALLS ?? 2_000);
const random = createRandom(seed);
const { input: getUser } = UserService.method.getUser;
const { input: listUsers } = UserService.method.listUsers;

/** Makes JSON texts, mostly valid; protobuf-es refuses some of their parts. */
function randomJson(names: readonly string[]): string {
  const member = () => `${random.pick(['"', '"', '"', ""])}${random.pick(names)}":${random.pick(VALUES)}`;
  const members = Array.from({ length: random.below(4) }, member).join(random.pick([",", ",", " , ", ",,"]));
  return random.pick([`{${members}}`, `{${members}}`, `{${members}}`, ` { ${members} }\n`, `[{${members}}]`, members]);
}

const VALUES = [
  ...['"a"', '""', '"é漢𝔸"', '"\\u0061"', '"a\\"b"', '" , : { } "', '"1"', '"\\ud800"'],
  ...["1", "0", "-0", "-1", "1.5", "1e2", "2147483647", "2147483648", "-2147483648", "1e999", "NaN"],
  ...["null", "true", "[]", '["a"]', "{}", '{"a":"b"}', '"\t"', "01", '{"a":1,"a":2}'],
];

test(`reads only what protobuf-es reads, and reads it alike (FUZZ_SEED=${seed})`, () => {
  let read = 0;
  for (let i = 0; i < rounds; i++) {
    for (const { input } of UserService.methods) {
      const names = [
        ...input.fields.flatMap(({ jsonName, name }) => [jsonName, name]),
        "nmae",
        "__proto__",
        "\\u0069d",
      ];
      const text = randomJson(names);
      const message = createQuickJson(input)?.(text);
      if (!message) continue;
      read += 1;
      expect(equals(input, message, fromJsonString(input, text)), text).toBe(true);
    }
  }
  expect(read).toBeGreaterThan(rounds / 10);
});

test.each([
  ['{"id":"0198c7a0-1111-7222-8333-000000000000"}', { id: "0198c7a0-1111-7222-8333-000000000000" }],
  ['{ "id" : "é" }', { id: "é" }],
  ["{}", { id: "" }],
])("reads %s by itself", (text, fields) => {
  expect(createQuickJson(getUser)?.(text)).toMatchObject(fields);
});

test("reads whole numbers by itself", () => {
  expect(createQuickJson(listUsers)?.('{"pageSize":7,"filter":"a"}')).toMatchObject({ pageSize: 7, filter: "a" });
});

test.each([
  ['{"id":"a","id":"b"}', "a name twice"],
  ['{"id":"a","\\u0069d":"b"}', "a name twice, once escaped"],
  ['{"nmae":"a"}', "an unknown name"],
  ['{"id":null}', "a null"],
  ['{"id":1}', "a value of another type"],
  ['["a"]', "a list"],
  ['{"id":"a"', "no JSON"],
])("leaves %s to protobuf-es: %s", (text) => {
  expect(createQuickJson(getUser)?.(text)).toBeUndefined();
});
