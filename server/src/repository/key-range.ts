const LAST_CODE_POINT = 0x10ffff;

/** Range of texts from `start` up to `end`, exclusive; without an end, all texts from `start` on. */
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
  // The prefix consists of last code points, so no text can end the range.
  if (last === undefined) return { start: prefix, end: undefined };
  // Surrogates are not characters, and are never stored as such.
  const next = last === 0xd7ff ? 0xe000 : last + 1;
  return { start: prefix, end: String.fromCodePoint(...codePoints, next) };
}
