import {
  type DescField,
  type DescMessage,
  getOption,
  hasOption,
  type JsonValue,
  type Message,
  type Registry,
  toJson,
} from "@bufbuild/protobuf";

/**
 * Returns the value of a custom option as JSON, by the option's full name; undefined if it is not set or not known.
 * Numbers of enums and scalars are not converted.
 */
export function optionOf(element: DescField | DescMessage, name: string, registry: Registry): JsonValue | undefined {
  const option = registry.getExtension(name);
  if (!option || !hasOption(element, option)) return undefined;
  const value: unknown = getOption(element, option);
  const { message } = option;
  if (!message) return value as JsonValue;
  const json = (one: unknown) => toJson(message, one as Message, { registry });
  return Array.isArray(value) ? value.map(json) : json(value);
}
