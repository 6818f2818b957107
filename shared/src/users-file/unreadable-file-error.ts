/** No user can be read from a file. Its first line shows another encoding, or another format than the given one. */
export class UnreadableFileError extends Error {
  override name = "UnreadableFileError";
}
