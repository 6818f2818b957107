import type { DescMessage } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { badRequest } from "../errors.ts";
import { findLoneSurrogate } from "./lone-surrogate.ts";
import { unknownFields } from "./unknown-fields.ts";

/** Decodes the bytes of a JSON message to its text, for connect-es's `jsonOptions`. */
export interface JsonDecoder {
  decode(bytes?: Uint8Array): string;
}

/** Most names of fields in an error's message; its details list more. */
const MAX_NAMED_FIELDS = 3;

const utf8 = new TextDecoder("utf-8", { fatal: true });

/**
 * Decodes valid UTF-8 only: no overlong forms, no encoded surrogates (RFC 3629, 3), and no escape that makes half a
 * character (RFC 8259, 8.2). Otherwise different texts would become equal, with U+FFFD in place of the invalid bytes.
 *
 * @throws ConnectError invalid_argument
 */
export const strictJsonDecoder: JsonDecoder = {
  decode(bytes) {
    let text: string;
    try {
      text = utf8.decode(bytes);
    } catch (error) {
      throw new ConnectError("the message is not valid UTF-8", Code.InvalidArgument, undefined, undefined, error);
    }
    const lone = text.includes("\\u") ? findLoneSurrogate(text) : undefined;
    if (lone === undefined) return text;
    throw new ConnectError(`the message has ${lone}, half of a surrogate pair`, Code.InvalidArgument);
  },
};

/**
 * Creates a decoder that also refuses fields that the message does not have, and names them. Text that is not JSON is
 * left for the parser to refuse.
 */
export function createKnownFieldsDecoder(desc: DescMessage): JsonDecoder {
  return {
    decode(bytes) {
      const text = strictJsonDecoder.decode(bytes);
      assertKnownFields(desc, text);
      return text;
    },
  };
}

/** Checks that a JSON text has no field that the message does not have. @throws ConnectError invalid_argument. */
export function assertKnownFields(desc: DescMessage, text: string): void {
  const unknown = unknownFields(desc, parse(text));
  if (unknown.length > 0) throw unknownFieldsError(unknown);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function unknownFieldsError(fields: readonly string[]): ConnectError {
  const named = fields.slice(0, MAX_NAMED_FIELDS).map((field) => JSON.stringify(field));
  const more = fields.length > MAX_NAMED_FIELDS ? " and more" : "";
  const message = `unknown field${fields.length === 1 ? "" : "s"} ${named.join(", ")}${more}`;
  const violations = fields.map((field) => ({ field, description: "no such field" }));
  return new ConnectError(message, Code.InvalidArgument, undefined, [badRequest(violations)]);
}
