import { Code, ConnectError } from "@connectrpc/connect";
import { findCause } from "@rollcall/client";
import { HttpVersionError } from "@rollcall/client/node";

/**
 * Adds a hint to an error that means that a proxy speaks another version of HTTP than the command. Returns any other
 * error unchanged.
 */
export function explainHttp(error: unknown, protocol: "grpc" | "grpc-web" | "connect"): unknown {
  if (!(error instanceof ConnectError)) return error;
  const hint = hintOf(error, protocol);
  if (hint === undefined) return error;
  return new ConnectError(`${error.rawMessage}: ${hint}`, error.code, error.metadata, undefined, error);
}

function hintOf(error: ConnectError, protocol: string): string | undefined {
  const version = findCause(error, HttpVersionError)?.version;
  if (version === "1.1") return "leave out --http 1.1";
  if (version === "2") {
    return protocol === "grpc"
      ? "gRPC needs it; --http 1.1 speaks Connect instead, and all commands but chat work"
      : "try --http 1.1, with which all commands but chat work";
  }
  // Connect's report of an answer without gRPC's trailers.
  if (protocol === "grpc" && error.code === Code.Internal && error.rawMessage.endsWith("missing status")) {
    return "gRPC needs HTTP/2 up to the server, and a proxy may speak HTTP/1.1 to it; try --protocol connect";
  }
  // The server's own message with HTTP 505, for a stream in both directions over HTTP/1.1.
  if (error.rawMessage.endsWith("it needs HTTP/2 or a WebSocket"))
    return "chat needs HTTP/2 up to the server, and a proxy speaks HTTP/1.1 to it";
  return undefined;
}
