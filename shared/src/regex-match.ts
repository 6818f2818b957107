import { RE2JS } from "@bufbuild/re2";

/** Most patterns that are cached, and most characters of one. A rule may build its patterns from a message. */
const MOST_PATTERNS = 256;
const MOST_CHARACTERS = 1_000;

/** One class of characters, such as `[^\pM]`, or nothing but characters of one, such as `^[\x21-\x7e]*$`. */
const CLASS =
  /^(?:\^(?=.*\*\$$))?\[\^?(?:[\w-]|\\[pP](?:[A-Z]|\{[A-Za-z]+\})|\\x(?:[\da-f]{2}|\{[\da-f]+\}))+\](?:(?<=^\^.*)\*\$)?$/;

interface Matcher {
  test(text: string): boolean;
}

const matchers = new Map<string, Matcher>();

/**
 * Returns whether a text matches a pattern of a contract's rule (RE2 syntax, in linear time), for protovalidate's
 * option `regexMatch`.
 *
 * A single class of characters has the same meaning in the platform's own engine, and needs no tables there. RE2 in
 * JavaScript builds tables of all characters, which takes 0.5 s of CPU time when a process, or a page, starts.
 *
 * @throws Error when the pattern is not valid in RE2.
 */
export function regexMatch(pattern: string, text: string): boolean {
  const known = matchers.get(pattern);
  if (known) return known.test(text);
  const matcher = CLASS.test(pattern) ? toRegExp(pattern) : RE2JS.compile(pattern);
  if (pattern.length <= MOST_CHARACTERS) {
    if (matchers.size >= MOST_PATTERNS) matchers.clear();
    matchers.set(pattern, matcher);
  }
  return matcher.test(text);
}

/** Writes RE2's `\pM` and `\x{2028}` as `\p{M}` and `\u{2028}`. */
function toRegExp(pattern: string): RegExp {
  return new RegExp(pattern.replace(/\\([pP])([A-Z])/g, "\\$1{$2}").replaceAll("\\x{", "\\u{"), "u");
}
