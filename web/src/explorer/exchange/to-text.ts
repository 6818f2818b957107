import { type DescMessage, fromBinary, type Message, type Registry, toJson } from "@bufbuild/protobuf";
import type { ConnectError } from "@connectrpc/connect";

/** Detail of an error, decoded as far as its type is known. */
export interface ErrorDetail {
  readonly type: string;
  readonly text: string;
}

/** Returns a message as JSON, indented. A message that JSON can't express, such as an Any of an unknown type, says so. */
export function messageText(type: DescMessage, message: Message, registry: Registry): string {
  try {
    return JSON.stringify(toJson(type, message, { registry }), undefined, 2);
  } catch (error) {
    return `(not shown: ${error instanceof Error ? error.message : error})`;
  }
}

/** Decodes the details of an error from the server. */
export function detailsOf(error: ConnectError, registry: Registry): ErrorDetail[] {
  return error.details.flatMap((detail) => {
    // Details without bytes are those of errors that were made in this page.
    if (!("value" in detail) || !(detail.value instanceof Uint8Array)) return [];
    const { type, value } = detail as { type: string; value: Uint8Array };
    const message = registry.getMessage(type);
    try {
      if (message) return [{ type, text: messageText(message, fromBinary(message, value), registry) }];
    } catch {
      // Bytes that are not of their type are shown as they are.
    }
    const hex = [...value].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    return [
      { type, text: `(${message ? "broken" : "unknown"} type, ${value.byteLength} bytes) ${hex.slice(0, 3_000)}` },
    ];
  });
}
