/**
 * Names the encoding of a line if its first bytes show that it is not UTF-8. They show it by a byte order mark, or by
 * the NUL bytes of the first character, which is ASCII in most texts (RFC 4627, 3).
 *
 * @returns undefined for UTF-8, and for encodings that can't be recognised like this, such as ISO 8859-1.
 */
export function foreignEncoding(line: Uint8Array): string | undefined {
  const [first = 1, second = 1, third = 1, fourth = 1] = line;
  const isBigEndian32 = (third === 0xfe && fourth === 0xff) || (third === 0 && fourth !== 0);
  if (first === 0 && second === 0) return isBigEndian32 && line.length >= 4 ? "UTF-32BE" : undefined;
  if ((first === 0xff && second === 0xfe) || (first !== 0 && second === 0)) {
    return third === 0 && fourth === 0 ? "UTF-32LE" : "UTF-16LE";
  }
  const isBigEndian16 = (first === 0xfe && second === 0xff) || (first === 0 && second !== 0);
  return isBigEndian16 && line.length >= 2 ? "UTF-16BE" : undefined;
}
