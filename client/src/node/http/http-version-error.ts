/** Alert of a server that supports none of the client's protocols (RFC 7301, 3.2). */
const NO_SHARED_PROTOCOL = "ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL";

/** No connection could be used, because the other side speaks another version of HTTP. */
export class HttpVersionError extends Error {
  override name = "HttpVersionError";
  /** Version that the other side does not speak. */
  readonly version: "1.1" | "2";
  constructor(version: "1.1" | "2", options?: ErrorOptions) {
    super(`the server, or a proxy in front of it, does not speak HTTP/${version}`, options);
    this.version = version;
  }
}

/** Returns the error of a TLS handshake that offered only this version of HTTP. Returns any other error unchanged. */
export function explainAlert(error: unknown, version: "1.1" | "2"): unknown {
  const { code } = error as NodeJS.ErrnoException;
  return code === NO_SHARED_PROTOCOL ? new HttpVersionError(version, { cause: error }) : error;
}
