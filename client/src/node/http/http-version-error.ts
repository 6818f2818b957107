/** The alert of a server that knows none of the client's protocols (RFC 7301, 3.2). */
const NO_SHARED_PROTOCOL = "ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL";

/** Why no connection could be used: the other side speaks another version of HTTP. */
export class HttpVersionError extends Error {
  override name = "HttpVersionError";
  /** The version that the other side does not speak. */
  readonly version: "1.1" | "2";
  constructor(version: "1.1" | "2", options?: ErrorOptions) {
    super(`the server, or a proxy in front of it, does not speak HTTP/${version}`, options);
    this.version = version;
  }
}

/** An error of a TLS handshake that offered this version of HTTP alone; any other error stays as it is. */
export function explainAlert(error: unknown, version: "1.1" | "2"): unknown {
  const { code } = error as NodeJS.ErrnoException;
  return code === NO_SHARED_PROTOCOL ? new HttpVersionError(version, { cause: error }) : error;
}
