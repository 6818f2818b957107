/**
 * Returns the ids that a user can have, each once. PostgreSQL's text has no NUL: a statement that is given one fails, and
 * with it all that share the statement.
 */
export function possibleIds(ids: Iterable<string>): string[] {
  return [...new Set(ids)].filter((id) => !id.includes("\0"));
}
