import { fromBinary, type Registry } from "@bufbuild/protobuf";
import type { ConnectError } from "@connectrpc/connect";
import { codeToString } from "@connectrpc/connect/protocol-connect";
import { findForeignAnswer } from "@rollcall/client";
import { messageText } from "./to-text.ts";

/** Detail of an error, decoded as far as its type is known. */
interface ErrorDetail {
  readonly type: string;
  readonly text: string;
}

export interface ErrorViewProps {
  error: ConnectError;
  registry: Registry;
}

/** Error of a call with its details. */
export function ErrorView({ error, registry }: ErrorViewProps) {
  const details = findForeignAnswer(error) ? [] : detailsOf(error, registry);
  return (
    <section className="call-error" aria-label="Error">
      <p>
        <code>{codeToString(error.code)}</code> {error.rawMessage}
      </p>
      {details.map(({ type, text }, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the details of an error stay in their order
        <div key={index}>
          <h3>
            <code>{type}</code>
          </h3>
          <pre>
            <code>{text}</code>
          </pre>
        </div>
      ))}
    </section>
  );
}

/** Decodes the details of an error from the server. */
function detailsOf(error: ConnectError, registry: Registry): ErrorDetail[] {
  return error.details.flatMap((detail) => {
    // Details without bytes belong to errors that were made in this page.
    if (!("value" in detail) || !(detail.value instanceof Uint8Array)) return [];
    const { type, value } = detail as { type: string; value: Uint8Array };
    const message = registry.getMessage(type);
    try {
      if (message) return [{ type, text: messageText(message, fromBinary(message, value), registry) }];
    } catch {
      // Bytes that do not fit their type are shown as they are.
    }
    const hex = [...value].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    return [
      { type, text: `(${message ? "broken" : "unknown"} type, ${value.byteLength} bytes) ${hex.slice(0, 3_000)}` },
    ];
  });
}
