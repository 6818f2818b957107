/**
 * How many headers of this name a request has. Of some, such as `host` and `authorization`, Node keeps the first and
 * drops the others unseen, in both HTTP versions.
 *
 * @param name In lower case.
 */
export function countHeaders(rawHeaders: readonly string[], name: string): number {
  let count = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const field = rawHeaders[i] ?? "";
    if (field.length === name.length && (field === name || field.toLowerCase() === name)) count += 1;
  }
  return count;
}
