import { Code, ConnectError } from "@connectrpc/connect";

/**
 * Kinds of malformed requests. The protocols report them differently:
 *
 * - "unparsable": invalid_argument over Connect. Over gRPC and gRPC-Web it is internal, which their table prescribes
 *   for messages that can't be parsed or decompressed (grpc/doc/statuscodes.md).
 * - "framing": internal over all of them, as each specification prescribes for a wrong compressed flag.
 */
type Kind = "unparsable" | "framing";

const kinds = new WeakMap<Error, Kind>();

/** Creates the error of a request that can't be read. It is the sender's fault, whatever its code. */
export function malformed(message: string, kind: Kind = "unparsable", cause?: unknown): ConnectError {
  const error = new ConnectError(message, Code.InvalidArgument, undefined, undefined, cause);
  kinds.set(error, kind);
  return error;
}

/** Returns the code with which the protocol reports a {@link malformed} request, or undefined for any other error. */
export function malformedCode(error: Error, protocol: string | undefined): Code | undefined {
  const kind = kinds.get(error);
  if (kind === undefined) return undefined;
  return kind === "unparsable" && protocol === "connect" ? Code.InvalidArgument : Code.Internal;
}

/**
 * Prefixes of connect-es's error messages: for protobuf that it can't parse, and for a message that it can't
 * decompress.
 */
const PARSE_BINARY = "parse binary: ";
const NO_ENCODING = "received compressed envelope, but do not know how to decompress";

/**
 * Returns the error to throw in place of one that was thrown while a request was read. connect-es reports malformed
 * protobuf, and a compressed flag without an encoding, as internal errors. Only their text distinguishes them from
 * faults of the server.
 */
export function toMalformed(error: unknown): unknown {
  if (!(error instanceof ConnectError) || error.code !== Code.Internal) return error;
  const { rawMessage } = error;
  if (rawMessage === NO_ENCODING) {
    return malformed("a message is flagged as compressed, but the request names no encoding", "framing", error);
  }
  if (!rawMessage.startsWith(PARSE_BINARY)) return error;
  return malformed(`malformed protobuf message: ${rawMessage.slice(PARSE_BINARY.length)}`, "unparsable", error);
}
