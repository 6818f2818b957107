/** Returns the path of a user's page. */
export function userPath(id: string): string {
  return `/users/${encodeURIComponent(id)}`;
}

/** Returns the id of the user whose page is at a path. */
export function idInPath(path: string): string {
  const id = path.slice(path.lastIndexOf("/") + 1);
  try {
    return decodeURIComponent(id);
  } catch {
    // A link that was cut off leads to no user.
    return id;
  }
}
