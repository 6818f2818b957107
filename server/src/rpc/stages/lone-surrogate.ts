const BACKSLASH = 0x5c;
const SMALL_U = 0x75;
const SMALL_D = 0x64;
/** Bit that turns a letter into lower case. */
const CASE_BIT = 0x20;
/** Length of an escape such as `\ud83d`, in characters. */
const ESCAPE_LENGTH = 6;

/**
 * Returns the first escape in a JSON text that makes half a character, such as `\ud83d` without a second half after it.
 * Goes over the characters once, since a text of megabytes may consist of escapes.
 */
export function findLoneSurrogate(json: string): string | undefined {
  for (let at = 0; at < json.length; at++) {
    if (json.charCodeAt(at) !== BACKSLASH) continue;
    const half = surrogateAt(json, at);
    if (half === "second" || (half === "first" && surrogateAt(json, at + ESCAPE_LENGTH) !== "second")) {
      return json.slice(at, at + ESCAPE_LENGTH);
    }
    // Skip the escaped character: it begins no escape, even if it is a backslash.
    at += half === "first" ? 2 * ESCAPE_LENGTH - 1 : 1;
  }
  return undefined;
}

/**
 * Returns which half of a surrogate pair the escape at this position makes: D800 to DBFF is the first, DC00 to DFFF the
 * second.
 */
function surrogateAt(json: string, at: number): "first" | "second" | undefined {
  if (json.charCodeAt(at) !== BACKSLASH || json.charCodeAt(at + 1) !== SMALL_U) return undefined;
  if ((json.charCodeAt(at + 2) | CASE_BIT) !== SMALL_D) return undefined;
  const digit = json.charCodeAt(at + 3) | CASE_BIT;
  // The digits "8", "9", "a" and "b" begin a first half, "c" to "f" a second.
  if (digit === 0x38 || digit === 0x39 || digit === 0x61 || digit === 0x62) return "first";
  return digit >= 0x63 && digit <= 0x66 ? "second" : undefined;
}
