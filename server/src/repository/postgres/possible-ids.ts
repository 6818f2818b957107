/**
 * Returns the ids that a user can have, without repetition. PostgreSQL's texts have no NUL: a statement with one fails,
 * and with it all calls that share the statement.
 */
export function possibleIds(ids: Iterable<string>): string[] {
  return [...new Set(ids)].filter((id) => !id.includes("\0"));
}
