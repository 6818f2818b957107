const LAST_CODE_POINT = 0x10ffff;

/** Text from `start` up to, but without, `end`; without an end, all from `start` on. */
export interface KeyRange {
  readonly start: string;
  readonly end: string | undefined;
}

/**
 * Returns the range of all keys that start with the prefix. Databases compare keys by their UTF-8 bytes, which is the
 * order of code points.
 */
export function rangeOf(prefix: string): KeyRange {
  const codePoints = Array.from(prefix, (char) => char.codePointAt(0) ?? 0);
  while (codePoints.at(-1) === LAST_CODE_POINT) codePoints.pop();
  const last = codePoints.pop();
  // The prefix has only last code points, so no text ends the range.
  if (last === undefined) return { start: prefix, end: undefined };
  // Surrogates are not characters, and are never stored as such.
  const next = last === 0xd7ff ? 0xe000 : last + 1;
  return { start: prefix, end: String.fromCodePoint(...codePoints, next) };
}
