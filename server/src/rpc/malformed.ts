import { Code, ConnectError } from "@connectrpc/connect";

/**
 * Kinds of malformed requests, which the protocols name differently:
 *
 * - "unparsable": invalid_argument over Connect; internal over gRPC and gRPC-Web, whose table uses it for messages that
 *   can't be parsed or decompressed (grpc/doc/statuscodes.md).
 * - "framing": internal over each of them, as their specifications of a message's compressed flag say.
 */
type Kind = "unparsable" | "framing";

const kinds = new WeakMap<Error, Kind>();

/** Creates the error of a request that can't be read. It is its sender's fault, whatever code it gets. */
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

/** Prefixes of connect-es's messages for protobuf that it can't parse, and for a message that it can't decompress. */
const PARSE_BINARY = "parse binary: ";
const NO_ENCODING = "received compressed envelope, but do not know how to decompress";

/**
 * Returns the error to throw for one that reading a request has thrown. connect-es reports malformed protobuf, and a
 * compressed flag without an encoding, as internal errors. Only their text tells them from faults of the server.
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
