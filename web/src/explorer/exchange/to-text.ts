import { type DescMessage, type Message, type Registry, toJson } from "@bufbuild/protobuf";

/**
 * Returns a message as JSON, indented. For a message that JSON can't express, such as an Any of an unknown type, the
 * text says so.
 */
export function messageText(type: DescMessage, message: Message, registry: Registry): string {
  try {
    return JSON.stringify(toJson(type, message, { registry }), undefined, 2);
  } catch (error) {
    return `(not shown: ${error instanceof Error ? error.message : error})`;
  }
}
