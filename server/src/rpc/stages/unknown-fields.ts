import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { isObject } from "../is-object.ts";

/** Most unknown fields that are listed: a message of a megabyte may have a hundred thousand. */
const MAX_FIELDS = 20;
/** Longest path of a field in the answer, in UTF-16 code units. The caller chooses the names. */
const MAX_PATH_LENGTH = 200;
/** Deepest nesting of messages; protobuf-es parses no deeper. */
const MAX_DEPTH = 100;

/**
 * Returns the paths of keys in a JSON message that are not fields of it, such as `address.stret` or `users[2].nmae`; at
 * most 20. Does not look into messages with a JSON form of their own, such as google.protobuf.Struct or Any.
 */
export function unknownFields(desc: DescMessage, json: unknown): string[] {
  const found: string[] = [];
  collect(desc, json, "", 0, found);
  return found;
}

function collect(desc: DescMessage, json: unknown, path: string, depth: number, found: string[]): void {
  if (!isObject(json) || depth > MAX_DEPTH || desc.typeName.startsWith("google.protobuf.")) return;
  for (const [key, value] of Object.entries(json)) {
    if (found.length === MAX_FIELDS) return;
    // Extension: the parser refuses it if it does not know it.
    if (key.startsWith("[")) continue;
    const keyPath = path === "" ? key : `${path}.${key}`;
    const field = desc.fields.find(({ name, jsonName }) => name === key || jsonName === key);
    if (!field) found.push(keyPath.slice(0, MAX_PATH_LENGTH).toWellFormed());
    else collectWithin(field, value, keyPath, depth + 1, found);
  }
}

/** Looks into the message, or messages, that a field holds. */
function collectWithin(field: DescField, json: unknown, path: string, depth: number, found: string[]): void {
  const { message } = field;
  if (message === undefined || typeof json !== "object" || json === null) return;
  if (field.fieldKind === "message") {
    collect(message, json, path, depth, found);
    return;
  }
  for (const [key, item] of Object.entries(json)) {
    if (found.length === MAX_FIELDS) return;
    collect(message, item, `${path}[${Array.isArray(json) ? key : JSON.stringify(key)}]`, depth, found);
  }
}
