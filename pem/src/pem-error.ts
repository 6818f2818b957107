/** A PEM text can't be used. The message is meant to follow the name of a file or setting, such as "is empty". */
export class PemError extends Error {
  override name = "PemError";
}
