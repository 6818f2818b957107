import { RE2JS } from "@bufbuild/re2";
import { expect, test } from "vitest";
import { regexMatch } from "./regex-match.ts";

const LAST_CODE_POINT = 0x10ffff;
const isSurrogate = (codePoint: number) => codePoint >= 0xd800 && codePoint <= 0xdfff;

test.each([
  String.raw`[\x00-\x1f\x7f]`,
  String.raw`^[\x21-\x7e]*$`,
  String.raw`[^\pZ\pC\pM\x{115f}\x{1160}\x{2800}\x{3164}\x{ffa0}\x{13441}\x{13442}\x{1d159}]`,
  String.raw`[\p{Cc}\p{Zl}\p{Zp}\x{202a}-\x{202e}\x{2066}-\x{2069}]`,
])("%s matches what it does in RE2", (pattern) => {
  const re2 = RE2JS.compile(pattern);
  const differing = [];
  for (let codePoint = 0; codePoint <= LAST_CODE_POINT; codePoint += codePoint < 0x3_200 ? 1 : 7) {
    const text = String.fromCodePoint(codePoint);
    if (!isSurrogate(codePoint) && regexMatch(pattern, text) !== re2.test(text)) differing.push(codePoint);
  }
  expect(differing).toEqual([]);
  for (const text of ["", "ab", "a\n", "\n", "\u0301\u{1d159}", "\u0301x", "é é"]) {
    expect(regexMatch(pattern, text), text).toBe(re2.test(text));
  }
});

test.each(["^[a]", "[a]*$", "^(a+)+$", "a|b", "(?i)[k]", "[[:alpha:]]"])("%s is left to RE2", (pattern) => {
  // In the platform's engine, (a+)+ would take for ever.
  for (const text of ["", "a", "b", "ba", "k", "K", `${"a".repeat(50_000)}!`]) {
    expect(regexMatch(pattern, text)).toBe(RE2JS.compile(pattern).test(text));
  }
});

test.each(["[b-a]", "(", "[\\p{Nothing}]"])("%s is no pattern", (pattern) => {
  expect(() => regexMatch(pattern, "a")).toThrow();
});
