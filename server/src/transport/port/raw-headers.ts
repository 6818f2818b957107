/**
 * Counts a request's headers of one name. For some names, such as `host` and `authorization`, Node keeps the first and
 * silently drops the others, in both HTTP versions.
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

/**
 * Returns the size of a header list in bytes, as SETTINGS_MAX_HEADER_LIST_SIZE counts it: 32 are added for each field
 * (RFC 9113, 6.5.2).
 */
export function headerListSize(rawHeaders: readonly string[]): number {
  let size = rawHeaders.length * 16;
  for (const text of rawHeaders) size += text.length;
  return size;
}
