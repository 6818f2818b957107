/** Returns the path that a request's target is routed by, in any of its forms (RFC 9112, 3.2; RFC 3986, 6.2.2.2). */
export function pathOf(target: string): string {
  const [path = ""] = target.replace(/^https?:\/\/[^/?#]*/i, "").split(/[?#]/, 1);
  if (!path.includes("%")) return path;
  try {
    return decodeURI(path);
  } catch {
    return path;
  }
}

/** Returns the query of a request's target with its question mark; empty if there is none. */
export function queryOf(target: string): string {
  const start = target.indexOf("?");
  return start < 0 ? "" : target.slice(start).split("#", 1).join();
}
