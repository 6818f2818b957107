/** A string, with the colon behind it that makes it a name; or the begin or end of an object or array. */
const TOKENS = /("(?:[^"\\]|\\.)*")\s*(:?)|[{}[\]]/g;

/**
 * The names of an object's own members, as they stand in its text. JSON.parse keeps the last
 * of those that have the same name (RFC 8259, 4: what a reader does with them can't be known).
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
