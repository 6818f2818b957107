import { validateHeaderValue } from "node:http";
import type { ConnectError } from "@connectrpc/connect";
import { Code } from "@connectrpc/connect";
import {
  codeToHttpStatus,
  errorToJsonBytes,
  parseTimeout as parseConnectTimeout,
} from "@connectrpc/connect/protocol-connect";
import { parseTimeout as parseGrpcTimeout, setTrailerStatus } from "@connectrpc/connect/protocol-grpc";
import type { Codec, MethodPlan } from "../../rpc/method-plan.ts";
import type { CallContext } from "./context.ts";
import { envelope } from "./envelope.ts";
import type { Wire } from "./wire.ts";

const GRPC_OK: Record<string, string> = Object.freeze({ "grpc-status": "0" });

/** How one protocol reads and writes unary calls in one format. */
export interface UnaryForm {
  readonly protocol: "grpc" | "connect";
  readonly isEnveloped: boolean;
  /** Names the coding of the request's messages, and those that the client takes. */
  readonly encodingHeader: string;
  readonly acceptHeader: string;
  codecOf(plan: MethodPlan, wire: Wire): Codec;
  /** The client's deadline, or why it can't be read. */
  parseTimeout(wire: Wire): { timeoutMs?: number | undefined; error?: ConnectError | undefined };
  /** Answers with a message. Returns the size of the body, in bytes. */
  sendMessage(wire: Wire, headers: string[], message: Uint8Array, context: CallContext | undefined): number;
  sendError(wire: Wire, headers: string[], error: ConnectError, context: CallContext | undefined): number;
}

function grpcForm(format: "binary" | "json", contentType: string): UnaryForm {
  return {
    protocol: "grpc",
    isEnveloped: true,
    encodingHeader: "grpc-encoding",
    acceptHeader: "grpc-accept-encoding",
    codecOf: (plan) => plan[format],
    parseTimeout: (wire) => parseGrpcTimeout(wire.header("grpc-timeout") ?? null, Number.POSITIVE_INFINITY),
    sendMessage(wire, headers, message, context) {
      headers.push("content-type", contentType);
      if (context?.ownHeader) addHeaders(headers, context.ownHeader);
      const bytes = envelope(0, message);
      const trailers = context?.ownTrailer ? { ...toTrailers(context.ownTrailer), ...GRPC_OK } : GRPC_OK;
      wire.respond(200, headers);
      wire.end(bytes, trailers);
      return bytes.byteLength;
    },
    sendError(wire, headers, error, context) {
      // Trailers-Only, as gRPC calls it: the status stands in the only header block.
      headers.push("content-type", contentType);
      if (context?.ownHeader) addHeaders(headers, context.ownHeader);
      addHeaders(headers, setTrailerStatus(new Headers(context?.ownTrailer), error));
      wire.respondAndEnd(200, headers);
      return 0;
    },
  };
}

function connectForm(format: "binary" | "json", contentType: string): UnaryForm {
  return {
    protocol: "connect",
    isEnveloped: false,
    encodingHeader: "content-encoding",
    acceptHeader: "accept-encoding",
    codecOf(plan, wire) {
      if (format === "binary") return plan.binary;
      return wire.header("connect-protocol-version") === undefined ? plan.jsonByHand : plan.json;
    },
    parseTimeout: (wire) => parseConnectTimeout(wire.header("connect-timeout-ms") ?? null, Number.POSITIVE_INFINITY),
    sendMessage(wire, headers, message, context) {
      headers.push("content-type", contentType, "content-length", String(message.byteLength));
      addOwn(headers, context);
      wire.respond(200, headers);
      wire.end(message);
      return message.byteLength;
    },
    sendError(wire, headers, error, context) {
      const body = errorToJsonBytes(error, undefined);
      headers.push("content-type", "application/json", "content-length", String(body.byteLength));
      if (error.code === Code.Unauthenticated) headers.push("www-authenticate", "Bearer");
      addOwn(headers, context);
      addHeaders(headers, error.metadata);
      wire.respond(codeToHttpStatus(error.code), headers);
      wire.end(body);
      return body.byteLength;
    },
  };
}

function addHeaders(target: string[], headers: Headers, prefix = ""): void {
  for (const [name, value] of headers) {
    // Node would let a value pass that HTTP can't carry, and clients drop the connection.
    validateHeaderValue(name, value);
    target.push(prefix + name, value);
  }
}

function toTrailers(headers: Headers): Record<string, string> {
  const trailers: Record<string, string> = {};
  for (const [name, value] of headers) {
    validateHeaderValue(name, value);
    trailers[name] = value;
  }
  return trailers;
}

/** Adds what a handler has set. */
function addOwn(headers: string[], context: CallContext | undefined): void {
  if (context?.ownHeader) addHeaders(headers, context.ownHeader);
  if (context?.ownTrailer) addHeaders(headers, context.ownTrailer, "trailer-");
}

/** The forms of plain content types; any other content type is told apart elsewhere. */
export const unaryForms: ReadonlyMap<string, UnaryForm> = new Map([
  ["application/grpc", grpcForm("binary", "application/grpc+proto")],
  ["application/grpc+proto", grpcForm("binary", "application/grpc+proto")],
  ["application/grpc+json", grpcForm("json", "application/grpc+json")],
  ["application/proto", connectForm("binary", "application/proto")],
  ["application/json", connectForm("json", "application/json")],
]);
