/** A PEM text can't be used. The message is what to say behind the name of a file or setting, as "is empty". */
export class PemError extends Error {
  override name = "PemError";
}
