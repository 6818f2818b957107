import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { Logger } from "pino";
import type { RefusalCounts } from "../refusals.ts";
import { peerOf } from "./connection.ts";
import { RefusalLog } from "./refusal-log.ts";

/** Lines of each kind. Scanners fail here all day, so more would be noise. */
const LINES_PER_MINUTE = 10;

/**
 * Logs failed TLS handshakes, with peer and reason, at level `info`, and counts them. Returns the listener for
 * 'tlsClientError'.
 */
export function createHandshakeLog(refusals: RefusalCounts, logger: Logger): (error: Error, socket: TLSSocket) => void {
  const log = new RefusalLog(logger, { level: "info", linesPerMinute: LINES_PER_MINUTE });
  const silent = new RefusalLog(logger, { level: "debug", linesPerMinute: LINES_PER_MINUTE });
  return (error, socket) => {
    // When a connection has ended, only the socket below still knows the peer.
    const { _parent: below = socket } = socket as TLSSocket & { _parent?: Socket };
    const peer = peerOf({ socket: below });
    const certificateFault = certificateFaultOf(error, socket);
    if (certificateFault) {
      refusals.add("client_certificate");
      log.note("client certificate refused", { peer, reason: certificateFault });
    }
    // A load balancer's probe connects and leaves without a byte.
    else if (below.bytesRead === 0) silent.note("connection without a TLS handshake", { peer });
    else {
      refusals.add("tls_handshake");
      log.note("TLS handshake failed", { peer, reason: reasonOf(error) });
    }
  };
}

/** Returns why the client's certificate was refused, if that ended the handshake. */
function certificateFaultOf(error: NodeJS.ErrnoException, socket: TLSSocket): string | undefined {
  if (error.code === "ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE") return "the client sent none";
  // Node.js then ends the connection itself and reports a reset.
  const code = socket.authorizationError as unknown;
  if (typeof code !== "string" || code === "") return undefined;
  if (UNKNOWN_AUTHORITY.test(code)) return "no authority that is trusted has signed it";
  return CERTIFICATE_FAULTS[code] ?? `it can't be verified (${code})`;
}

const UNKNOWN_AUTHORITY = /^(UNABLE_TO_GET_ISSUER_CERT|UNABLE_TO_VERIFY_LEAF_SIGNATURE|SELF_SIGNED_|DEPTH_ZERO_)/;

const CERTIFICATE_FAULTS: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: "it or its authority has expired",
  CERT_NOT_YET_VALID: "it or its authority is not valid yet",
  CERT_REVOKED: "it was revoked",
  INVALID_PURPOSE: "it is not for clients",
  INVALID_CA: "its signer is no certificate authority",
};

/** Reasons in words, by the end of Node.js's error code. */
const REASONS: readonly (readonly [RegExp, string])[] = [
  [/_(HTTP_REQUEST|HTTPS_PROXY_REQUEST|WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG)$/, "the client does not speak TLS"],
  [/_(UNSUPPORTED_PROTOCOL|VERSION_TOO_LOW|ALERT_PROTOCOL_VERSION)$/, "no version of TLS in common: 1.2 is the lowest"],
  [/_NO_SHARED_CIPHER$/, "no cipher in common"],
  [/_NO_APPLICATION_PROTOCOL$/, "the client speaks neither HTTP/2 nor HTTP/1.1"],
  [/_ALERT_UNKNOWN_CA$/, "the client does not trust the authority of the server's certificate"],
  [/_ALERT_CERTIFICATE_EXPIRED$/, "the client finds that the server's certificate has expired"],
  [/_ALERT_(BAD|UNSUPPORTED|CERTIFICATE)_/, "the client refused the server's certificate"],
  [/^ERR_TLS_HANDSHAKE_TIMEOUT$/, "the client did not finish it in time"],
  [/^ECONNRESET$/, "the client closed the connection, as clients do that don't trust the server's certificate"],
];

function reasonOf({ code = "", reason, message }: NodeJS.ErrnoException & { reason?: string }): string {
  const [, words] = REASONS.find(([pattern]) => pattern.test(code)) ?? [];
  // Use OpenSSL's short reason; its message has addresses and lines of its source.
  return words ?? reason ?? (code || message);
}
