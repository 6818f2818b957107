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

/** Copies all fields as they came. If a field that must be single came twice, both stay visible. */
export function headersOf(rawHeaders: readonly string[]): Headers {
  const headers = new Headers();
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? "";
    // Skip HTTP/2's own fields, such as `:path`.
    if (!name.startsWith(":")) headers.append(name, rawHeaders[i + 1] ?? "");
  }
  return headers;
}
