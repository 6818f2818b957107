/** A string, with the colon after it if it is a name; or the beginning or end of an object or array. */
const TOKENS = /("(?:[^"\\]|\\.)*")\s*(:?)|[{}[\]]/g;

/**
 * Returns the names of an object's own members, as written in its text. JSON.parse keeps only the last of several with
 * the same name (RFC 8259, 4: readers differ on them).
 *
 * @param json Valid JSON.
 */
export function memberNames(json: string): string[] {
  const names: string[] = [];
  let depth = 0;
  for (const [token, string, colon] of json.matchAll(TOKENS)) {
    if (string === undefined) depth += token === "{" || token === "[" ? 1 : -1;
    else if (colon && depth === 1) names.push(JSON.parse(string));
  }
  return names;
}
