import { validateHeaderValue } from "node:http";
import type { ConnectError } from "@connectrpc/connect";
import { Code } from "@connectrpc/connect";
import {
  codeToHttpStatus,
  errorToJsonBytes,
  parseTimeout as parseConnectTimeout,
} from "@connectrpc/connect/protocol-connect";
import { parseTimeout as parseGrpcTimeout, setTrailerStatus } from "@connectrpc/connect/protocol-grpc";
import { createTrailerSerialization } from "@connectrpc/connect/protocol-grpc-web";
import { COMPRESSED, envelope } from "@rollcall/shared/envelope";
import type { Codec, MethodPlan } from "../../rpc/method-plan.ts";
import type { CallContext } from "./context.ts";
import type { Wire } from "./wire.ts";

/** Flag of the envelope that holds gRPC-Web's trailers. */
export const TRAILERS = 0x80;
const trailerSerialization = createTrailerSerialization();
export const GRPC_OK: Record<string, string> = Object.freeze({ "grpc-status": "0" });

/** How one protocol reads and writes calls in one format. */
export interface CallForm {
  /** Undefined for a request in none of the protocols. */
  readonly protocol: "grpc" | "grpc-web" | "connect" | undefined;
  /** Header that names the coding of the request's messages, and the one that names the codings the client accepts. */
  readonly encodingHeader: string;
  readonly acceptHeader: string;
  /** Flag of an envelope of the request that is not a message; 0 for none. */
  readonly endFlag: number;
  codecOf(plan: MethodPlan, wire: Wire): Codec;
  /** Returns the client's deadline, or the error if it can't be read. */
  parseTimeout(wire: Wire): { timeoutMs?: number | undefined; error?: ConnectError | undefined };
  /** Sends an answer that has only an error. @returns The size of the body, in bytes. */
  sendError(wire: Wire, headers: string[], error: ConnectError, context: CallContext | undefined): number;
}

/** How one protocol reads and writes calls with one message in each direction. */
export interface UnaryForm extends CallForm {
  readonly isEnveloped: boolean;
  /**
   * Sends an answer with a message.
   *
   * @param coding Coding of the message.
   * @returns The size of the body, in bytes.
   */
  sendMessage(
    wire: Wire,
    headers: string[],
    message: Uint8Array,
    context: CallContext | undefined,
    coding: string | undefined,
  ): number;
}

export function grpcForm(format: "binary" | "json", contentType: string): UnaryForm {
  return {
    protocol: "grpc",
    isEnveloped: true,
    endFlag: 0,
    encodingHeader: "grpc-encoding",
    acceptHeader: "grpc-accept-encoding",
    codecOf: (plan) => plan[format],
    parseTimeout: (wire) => parseGrpcTimeout(wire.header("grpc-timeout") ?? null, Number.POSITIVE_INFINITY),
    sendMessage(wire, headers, message, context, coding) {
      headers.push("content-type", contentType);
      if (coding !== undefined) headers.push("grpc-encoding", coding);
      if (context?.ownHeader) addHeaders(headers, context.ownHeader);
      const bytes = envelope(coding === undefined ? 0 : COMPRESSED, message);
      const trailers = context?.ownTrailer ? { ...toTrailers(context.ownTrailer), ...GRPC_OK } : GRPC_OK;
      wire.respond(200, headers);
      wire.end(bytes, trailers);
      return bytes.byteLength;
    },
    sendError(wire, headers, error, context) {
      headers.push("content-type", contentType);
      const status = setTrailerStatus(new Headers(context?.ownTrailer), error);
      if (context?.ownHeader) {
        // Clients read all of a Trailers-Only block as trailers, and would not find the handler's headers.
        const trailers = toTrailers(status);
        addHeaders(headers, context.ownHeader);
        wire.respond(200, headers);
        wire.end(undefined, trailers);
      } else {
        // gRPC's Trailers-Only form: the status is in the only header block.
        addHeaders(headers, status);
        wire.respondAndEnd(200, headers);
      }
      return 0;
    },
  };
}

/** Creates the form of gRPC-Web, which ends its body with an envelope of trailers. */
export function grpcWebForm(format: "binary" | "json", contentType: string): UnaryForm {
  const end = (wire: Wire, headers: string[], context: CallContext | undefined, parts: Uint8Array[]) => {
    headers.push("content-type", contentType);
    if (context?.ownHeader) addHeaders(headers, context.ownHeader);
    const body = Buffer.concat(parts);
    wire.respond(200, headers);
    wire.end(body);
    return body.byteLength;
  };
  return {
    ...grpcForm(format, contentType),
    protocol: "grpc-web",
    endFlag: TRAILERS,
    sendMessage(wire, headers, message, context, coding) {
      if (coding !== undefined) headers.push("grpc-encoding", coding);
      const own = context?.ownTrailer;
      own?.set("grpc-status", "0");
      const trailers = own ? trailerEnvelope(own) : WEB_OK;
      return end(wire, headers, context, [envelope(coding === undefined ? 0 : COMPRESSED, message), trailers]);
    },
    sendError(wire, headers, error, context) {
      const trailers = setTrailerStatus(new Headers(context?.ownTrailer), error);
      return end(wire, headers, context, [trailerEnvelope(trailers)]);
    },
  };
}

export function trailerEnvelope(trailers: Headers): Buffer {
  return envelope(TRAILERS, trailerSerialization.serialize(trailers));
}

export function connectForm(format: "binary" | "json", contentType: string): UnaryForm {
  return {
    protocol: "connect",
    isEnveloped: false,
    endFlag: 0,
    encodingHeader: "content-encoding",
    acceptHeader: "accept-encoding",
    codecOf(plan, wire) {
      if (format === "binary") return plan.binary;
      return wire.header("connect-protocol-version") === undefined ? plan.jsonByHand : plan.json;
    },
    parseTimeout: (wire) => parseConnectTimeout(wire.header("connect-timeout-ms") ?? null, Number.POSITIVE_INFINITY),
    sendMessage(wire, headers, message, context, coding) {
      if (coding !== undefined) headers.push("content-encoding", coding);
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

export function addHeaders(target: string[], headers: Headers, prefix = ""): void {
  for (const [name, value] of headers) {
    // Node.js would accept a value that HTTP can't carry, and clients would then drop the connection.
    validateHeaderValue(name, value);
    target.push(prefix + name, value);
  }
}

export function toTrailers(headers: Headers): Record<string, string> {
  const trailers: Record<string, string> = {};
  for (const [name, value] of headers) {
    validateHeaderValue(name, value);
    trailers[name] = value;
  }
  return trailers;
}

/** Adds the headers that a handler has set. */
export function addOwn(headers: string[], context: CallContext | undefined): void {
  if (context?.ownHeader) addHeaders(headers, context.ownHeader);
  if (context?.ownTrailer) addHeaders(headers, context.ownTrailer, "trailer-");
}

export const WEB_OK = trailerEnvelope(new Headers(GRPC_OK));

/** Forms by plain content type. Other content types are handled elsewhere. */
export const unaryForms: ReadonlyMap<string, UnaryForm> = new Map([
  ["application/grpc", grpcForm("binary", "application/grpc+proto")],
  ["application/grpc+proto", grpcForm("binary", "application/grpc+proto")],
  ["application/grpc+json", grpcForm("json", "application/grpc+json")],
  ["application/grpc-web", grpcWebForm("binary", "application/grpc-web+proto")],
  ["application/grpc-web+proto", grpcWebForm("binary", "application/grpc-web+proto")],
  ["application/grpc-web+json", grpcWebForm("json", "application/grpc-web+json")],
  ["application/proto", connectForm("binary", "application/proto")],
  ["application/json", connectForm("json", "application/json")],
]);
