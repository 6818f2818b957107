const WORDS: Readonly<Record<string, string>> = {
  ENOENT: "does not exist",
  EISDIR: "is a folder, not a file",
  ENOTDIR: "does not exist: a part of its path is no folder",
  EACCES: "can't be read: this user has no permission",
  EPERM: "can't be read: this user has no permission",
};

/** Returns the reason why a file could not be read, in words that follow its name. */
export function fileFault(error: unknown): string {
  const { code = "unknown" } = error as NodeJS.ErrnoException;
  return WORDS[code] ?? `can't be read (${code})`;
}
