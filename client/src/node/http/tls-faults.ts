import { X509Certificate } from "node:crypto";
import type { TlsClientOptions } from "./open-socket.ts";

/** Fault of TLS with a server, in words, and whether waiting may help. */
export interface TlsFault {
  readonly message: string;
  readonly isTransient: boolean;
}

/**
 * Error of Node.js's TLS. OpenSSL's errors have a `reason`; an error for a name that does not match has its `host` and
 * certificate.
 */
type TlsError = NodeJS.ErrnoException & { reason?: string; host?: string; cert?: { subjectaltname?: string } };

/**
 * Codes for a server's certificate that this client refuses: the beginnings of OpenSSL's names (X509_V_ERR_…), and the
 * code for a wrong name.
 */
const REFUSED_HERE =
  /^(CERT_|CRL_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|INVALID_|PATH_LENGTH_|ERROR_IN_|HOSTNAME_|UNSPECIFIED$|ERR_TLS_CERT)/;
const TLS_CODE = /^ERR_(SSL|OSSL|TLS)_/;

const NOT_TRUSTED = "the server's certificate is of an authority that is not trusted; give the authority's as tls.ca";
const ASKS = "the server asks for a client certificate; give tls.cert and tls.key";
const CLOCK = ", or this machine's clock is wrong";

/** Words for a fault, by a pattern of its code; the first that matches is used. */
const WORDS: readonly (readonly [RegExp, string])[] = [
  [/^DEPTH_ZERO_/, "the server's certificate is signed by itself, and not trusted; give it as tls.ca"],
  [/^SELF_SIGNED_/, NOT_TRUSTED],
  [/^UNABLE_TO_(GET_ISSUER|VERIFY_LEAF)/, `${NOT_TRUSTED}, or the server leaves out an intermediate certificate`],
  [/^INVALID_PURPOSE$/, "the server's certificate is not for servers"],
  [/^CERT_HAS_EXPIRED$/, `the server's certificate, or one that signed it, has expired${CLOCK}`],
  [/^CERT_NOT_YET_VALID$/, `the server's certificate, or one that signed it, is not valid yet${CLOCK}`],
  [
    /_(WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG)$/,
    "the server does not speak TLS; its address may begin with http://",
  ],
  [/ALERT_CERTIFICATE_REQUIRED$/, ASKS],
  [
    /ALERT_HANDSHAKE_FAILURE$/,
    `the server refuses the handshake: no cipher in common, or ${ASKS.replace("the server ", "it ")}`,
  ],
  [/ALERT_UNKNOWN_CA$/, "the server does not trust the authority of this client's certificate, tls.cert"],
  [/ALERT_CERTIFICATE_EXPIRED$/, "the server finds that this client's certificate, tls.cert, has expired"],
  [/ALERT_CERTIFICATE_REVOKED$/, "the server finds that this client's certificate, tls.cert, was revoked"],
  [
    /ALERT_(BAD_CERTIFICATE|UNSUPPORTED_CERTIFICATE|CERTIFICATE_UNKNOWN|ACCESS_DENIED|NO_CERTIFICATE|DECRYPT_ERROR)$/,
    "the server refuses this client's certificate, tls.cert",
  ],
  [
    /(ALERT_PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL|VERSION_TOO_LOW)$/,
    "no version of TLS in common: this client speaks 1.2 and 1.3",
  ],
  [/UNRECOGNIZED_NAME$/, "the server has no certificate for the name in its address"],
  [/ALERT_INTERNAL_ERROR$/, "the server met a fault of its own in the TLS handshake"],
];

/** Returns the fault for an error that has ended a TLS connection; undefined if it is not an error of TLS. */
export function tlsFaultOf(error: unknown): TlsFault | undefined {
  if (error instanceof SpeaksTlsError) return { message: error.message, isTransient: false };
  const { code = "", reason, message = "" } = error as TlsError;
  if (!REFUSED_HERE.test(code) && !TLS_CODE.test(code)) return undefined;
  const words = nameFault(error as TlsError) ?? WORDS.find(([pattern]) => pattern.test(code))?.[1];
  const kind = REFUSED_HERE.test(code) ? "the server's certificate is refused" : "the TLS handshake failed";
  // OpenSSL's full message contains addresses and line numbers of its source.
  const text = words ?? `${kind}: ${reason ?? (message.includes("\n") ? code : message)}`;
  return { message: text, isTransient: code.endsWith("ALERT_INTERNAL_ERROR") };
}

/** Longest list of names that an error prints. */
const MAX_NAMES_LENGTH = 200;

function nameFault({ code, host, cert }: TlsError): string | undefined {
  if (code !== "ERR_TLS_CERT_ALTNAME_INVALID") return undefined;
  const names = cert?.subjectaltname?.replace(/(DNS|IP Address):/g, "") ?? "";
  const shown = names.length > MAX_NAMES_LENGTH ? `${names.slice(0, MAX_NAMES_LENGTH)}…` : names;
  return `the server's certificate is not for ${host}${shown ? `, but for ${shown}` : ""}`;
}

/**
 * Returns whether a server has refused the client's certificate. In TLS 1.3 it may do so after the client has begun to
 * send.
 */
export function isLateRefusal({ code = "" }: NodeJS.ErrnoException): boolean {
  return /ALERT_(CERTIFICATE_|UNKNOWN_CA$|ACCESS_DENIED$|(BAD|UNSUPPORTED)_CERTIFICATE$)/.test(code);
}

/** Returns whether a handshake that failed with this error had a TLS server at the other end. */
export function isFromTlsServer({ code = "" }: NodeJS.ErrnoException): boolean {
  return REFUSED_HERE.test(code) || /ALERT_/.test(code);
}

/** The server of a plaintext address speaks TLS. */
export class SpeaksTlsError extends Error {
  override name = "SpeaksTlsError";
  constructor(options?: ErrorOptions) {
    super("the server speaks TLS; its address has to begin with https://", options);
  }
}

/**
 * The server has closed the connection after this client, which has a certificate, finished its part of the handshake.
 */
export class HandshakeRefusedError extends Error {
  override name = "HandshakeRefusedError";
}

/**
 * Creates the error of a connection that was closed while the server could still refuse the client's certificate. Not
 * all servers send an alert: Node.js sends none for a certificate that it does not trust.
 *
 * @param isDone Whether the client has finished its part.
 */
export function closedInHandshake({ cert }: TlsClientOptions, { isDone }: { isDone: boolean }): Error {
  const event = `the server closed the connection ${isDone ? "after" : "in"} the TLS handshake`;
  // Before the handshake's end, a certificate is only one possible reason.
  const reasons = isDone ? "it may" : "it may speak no TLS, or";
  if (cert === undefined) return new Error(`${event}; ${reasons} ask for a client certificate, tls.cert and tls.key`);
  const { validToDate } = new X509Certificate(cert);
  const refusal =
    validToDate.getTime() < Date.now()
      ? `; this client's certificate, tls.cert, has expired on ${validToDate.toISOString().slice(0, 10)}`
      : `; ${reasons} refuse this client's certificate, tls.cert`;
  return isDone ? new HandshakeRefusedError(event + refusal) : new Error(event + refusal);
}
