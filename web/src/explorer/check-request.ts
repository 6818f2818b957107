import type { DescMessage, JsonValue, Message, Registry } from "@bufbuild/protobuf";
import type { FieldErrors } from "../api/errors.ts";
import { checkMessage } from "../api/rules/index.ts";

/** JSON of a text, or the fault in it. */
export type ParsedText = { readonly json: JsonValue } | { readonly problem: string };

export function parseText(text: string): ParsedText {
  try {
    return { json: JSON.parse(text) as JsonValue };
  } catch (error) {
    return { problem: `This is not JSON: ${messageOf(error)}` };
  }
}

const importFromJson = () => import("./from-json.ts");

/** Loads the code that {@link toMessage} needs, in advance. */
export function preloadFromJson(): void {
  importFromJson().catch(() => {});
}

/** Makes a message from JSON. @throws Error with the field that does not fit, or if the code can't be loaded. */
export async function toMessage(type: DescMessage, json: JsonValue, registry: Registry): Promise<Message> {
  const { fromJson } = await importFromJson().catch((cause: unknown) => {
    throw new Error("A part of this page can't be loaded: load it again.", { cause });
  });
  return fromJson(type, json, { registry });
}

/** Checks a message by the rules of its contract. Rules that can't be checked here are left to the server. */
export async function brokenRules(type: DescMessage, message: Message): Promise<FieldErrors> {
  try {
    return await checkMessage(type, message);
  } catch {
    return {};
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
