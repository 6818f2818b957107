/** No user can be read from a file, since its first line shows another format than was named, or another encoding. */
export class UnreadableFileError extends Error {
  override name = "UnreadableFileError";
}
