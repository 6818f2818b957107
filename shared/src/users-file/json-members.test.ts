import { expect, test } from "vitest";
import { memberNames } from "./json-members.ts";

test.each([
  ["{}", []],
  ["[]", []],
  ['"email"', []],
  ['{"email":"a","name":"b"}', ["email", "name"]],
  ['{"email" : "a", "n\\u0061me": "b", "name":1}', ["email", "name", "name"]],
  ['{"a":{"email":1,"b":[{"email":2}]},"email":3}', ["a", "email"]],
  ['{"note":"\\"email\\": 1, {[","email":"}"}', ["note", "email"]],
  ['{"note":["email","name"],"name":true}', ["note", "name"]],
])("the members of %s", (json, names) => {
  expect(memberNames(json)).toEqual(names);
});
