import { expect, test } from "vitest";
import { findLoneSurrogate } from "./lone-surrogate.ts";

test.each([
  ['"\\ud83d"', "\\ud83d"],
  ['"\\uD83D x"', "\\uD83D"],
  ['"\\ude00"', "\\ude00"],
  ['"\\udfFF\\ud800"', "\\udfFF"],
  ['"\\ud83d\\ud83d\\ude00"', "\\ud83d"],
  ['"\\ud83d\\u0041"', "\\ud83d"],
  ['"\\ud83d\\\\ude00"', "\\ud83d"],
  ['"\\\\\\udbff"', "\\udbff"],
  ['{"\\udc00": 1}', "\\udc00"],
  ['"\\ud83d', "\\ud83d"],
])("%s has one", (json, lone) => {
  expect(findLoneSurrogate(json)).toBe(lone);
});

test.each([
  '"\\ud83d\\ude00"',
  '"\\uDBFF\\uDFFF\\ud800\\udc00"',
  '"\\\\ud83d"',
  '"\\\\\\\\ud83d"',
  '"\\u0041\\n\\""',
  '"ud83d"',
  '"\\ud7ff\\ue000"',
  '"😀"',
  '"\\',
  "",
])("%s has none", (json) => {
  expect(findLoneSurrogate(json)).toBe(undefined);
});
