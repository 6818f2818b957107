import type { DescField, JsonObject, JsonValue } from "@bufbuild/protobuf";

/** Returns the value of a field in a message's JSON, which may use either of the field's names. */
export function fieldOf(message: JsonObject, field: DescField): JsonValue | undefined {
  return message[keyOf(message, field)];
}

/** Returns the message's JSON with another value of a field; undefined removes the field. */
export function withField(message: JsonObject, field: DescField, value: JsonValue | undefined): JsonObject {
  const { [keyOf(message, field)]: _before, ...others } = message;
  if (value === undefined) return others;
  // An existing key keeps its position.
  return { ...message, [keyOf(message, field)]: value };
}

export function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function keyOf(message: JsonObject, { jsonName, name }: DescField): string {
  return Object.hasOwn(message, name) && !Object.hasOwn(message, jsonName) ? name : jsonName;
}
