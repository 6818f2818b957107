import type { ConnectError } from "@connectrpc/connect";
import { encodeEnvelope } from "@connectrpc/connect/protocol";
import { createEndStreamSerialization, endStreamFlag, endStreamFromJson } from "@connectrpc/connect/protocol-connect";
import { findTrailerError } from "@connectrpc/connect/protocol-grpc";
import { createTrailerSerialization, trailerFlag, trailerParse } from "@connectrpc/connect/protocol-grpc-web";
import { internalError } from "../record/call-record.ts";
import { acceptCompression } from "./compression.ts";

const COMPRESSED = 0x01;
const PREFIX_BYTES = 5;
/** Largest end of an answer that is inflated, in bytes; headers are far smaller. */
const MAX_END_BYTES = 1_024 * 1_024;

/** How the answers of one protocol end, if the HTTP status does not show the outcome. */
export interface AnswerEnd {
  /**
   * Returns the last chunk of an answer that fails through a fault of the server; undefined if its trailers alone
   * report it.
   */
  faultChunk(): Uint8Array | undefined;
  /** Flag of the envelope that ends an answer; 0 if trailers do. */
  readonly flag: number;
  /** Returns the error in the bytes of that envelope, if there is one. */
  parse(bytes: Uint8Array): ConnectError | undefined;
}

const grpc: AnswerEnd = { faultChunk: () => undefined, flag: 0, parse: () => undefined };

const grpcWeb: AnswerEnd = {
  faultChunk: () => encodeEnvelope(trailerFlag, createTrailerSerialization().serialize(grpcStatus())),
  flag: trailerFlag,
  parse: (bytes) => findTrailerError(trailerParse(bytes)),
};

const connectStream: AnswerEnd = {
  faultChunk() {
    const end = { metadata: new Headers(), error: internalError() };
    return encodeEnvelope(endStreamFlag, createEndStreamSerialization(undefined).serialize(end));
  },
  flag: endStreamFlag,
  parse: (bytes) => endStreamFromJson(bytes).error,
};

/** Returns how answers of a content type end; undefined if only the HTTP status can report a failure. */
export function answerEnd(contentType: string): AnswerEnd | undefined {
  if (/^application\/grpc(?:$|[+;\s])/i.test(contentType)) return grpc;
  if (/^application\/grpc-web/i.test(contentType)) return grpcWeb;
  return /^application\/connect\+/i.test(contentType) ? connectStream : undefined;
}

/** Returns the gRPC trailers of an answer that fails through a fault of the server. */
export function grpcStatus(): Headers {
  const { code, rawMessage } = internalError();
  return new Headers({ "grpc-status": String(code), "grpc-message": encodeURIComponent(rawMessage) });
}

/** Returns whether this result has the answer's status. Each chunk of the answer is one envelope. */
export function isAtEnd({ flag }: AnswerEnd, result: IteratorResult<Uint8Array>): boolean {
  return result.done === true || ((result.value[0] ?? 0) & flag) !== 0;
}

/**
 * Returns the error that an answer ends with, if it does.
 *
 * @param result The end of the answer, or the envelope that ends it.
 * @param coding Name of the coding of compressed envelopes.
 */
export async function errorAtEnd(
  end: AnswerEnd,
  result: IteratorResult<Uint8Array>,
  trailer: Headers | undefined,
  coding: string | null | undefined,
): Promise<ConnectError | undefined> {
  if (result.done) return trailer && findTrailerError(trailer);
  const bytes = result.value.subarray(PREFIX_BYTES);
  if (!((result.value[0] ?? 0) & COMPRESSED)) return end.parse(bytes);
  const compression = acceptCompression.find(({ name }) => name === coding);
  return end.parse((await compression?.decompress(bytes, MAX_END_BYTES)) ?? bytes);
}
