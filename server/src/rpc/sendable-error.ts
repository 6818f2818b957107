import { create, toBinary } from "@bufbuild/protobuf";
import type { ConnectError } from "@connectrpc/connect";
import { MAX_ERROR_DETAILS_BYTES, MAX_ERROR_MESSAGE_BYTES } from "../limits.ts";

/** Largest metadata of an error, in bytes of names and values. */
const MAX_METADATA_BYTES = 8 * 1_024;

/**
 * Connection headers, which HTTP/2 refuses to write (RFC 9113, 8.2.2), and characters that a header can't have (RFC
 * 9110, 5.5).
 */
const CONNECTION_HEADER =
  /^(?:connection|http2-settings|keep-alive|proxy-connection|te|trailer|transfer-encoding|upgrade)$/;
const NO_HEADER_VALUE = /[^\t\x20-\x7e\x80-\xff]/;

const ELLIPSIS = "…";
const ELLIPSIS_BYTES = encodeURIComponent(ELLIPSIS).length;

type Detail = ConnectError["details"][number];

/**
 * Changes an error into one that the protocol can write.
 *
 * - Its text becomes well-formed, as percent-encoding requires.
 * - Details that can't be encoded and metadata that are not valid headers are dropped.
 * - Over gRPC it has to fit into headers: a long message is cut, and a detail that is too large is dropped.
 *
 * @returns Reasons why details or metadata can't be written. They are faults of the server.
 */
export function makeSendable(error: ConnectError, protocol: string | undefined): unknown[] {
  const isHeader = protocol === "grpc";
  const faults: unknown[] = [];
  let bytesLeft = isHeader ? MAX_ERROR_DETAILS_BYTES : Number.POSITIVE_INFINITY;
  const fits = (detail: Detail) => {
    try {
      const bytes = encodedLength(detail);
      if (bytes > bytesLeft) return false;
      bytesLeft -= bytes;
      return true;
    } catch (fault) {
      faults.push(fault);
      return false;
    }
  };
  const details = error.details.filter(fits);
  const message = error.rawMessage.toWellFormed();
  // Change the object itself, since it is the one that Connect writes. Its message is read-only in TypeScript only.
  Object.assign(error, { details, rawMessage: isHeader ? cutToHeader(message) : message });
  return [...faults, ...removeUnsendable(error.metadata)];
}

function removeUnsendable(metadata: Headers): unknown[] {
  const faults: unknown[] = [];
  let bytesLeft = MAX_METADATA_BYTES;
  for (const [name, value] of [...metadata]) {
    const bytes = name.length + value.length;
    if (!CONNECTION_HEADER.test(name) && !NO_HEADER_VALUE.test(value) && bytes <= bytesLeft) {
      bytesLeft -= bytes;
      continue;
    }
    metadata.delete(name);
    faults.push(new Error(`the error's metadata ${name} of ${value.length} characters can't be sent`));
  }
  return faults;
}

function encodedLength(detail: Detail): number {
  const bytes = "desc" in detail ? toBinary(detail.desc, create(detail.desc, detail.value)) : detail.value;
  return bytes.byteLength;
}

function cutToHeader(message: string): string {
  // A code unit takes at least one byte.
  if (message.length <= MAX_ERROR_MESSAGE_BYTES && encodeURIComponent(message).length <= MAX_ERROR_MESSAGE_BYTES)
    return message;
  let cut = "";
  let bytes = 0;
  for (const character of message) {
    bytes += encodeURIComponent(character).length;
    if (bytes > MAX_ERROR_MESSAGE_BYTES - ELLIPSIS_BYTES) break;
    cut += character;
  }
  return `${cut}${ELLIPSIS}`;
}
