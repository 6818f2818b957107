import { type DescEnum, type DescField, type DescMessage, type JsonValue, ScalarType } from "@bufbuild/protobuf";

/** Type of one value: of a field, or of an item, key or value of a field. */
export type ValueType =
  | { readonly kind: "scalar"; readonly scalar: ScalarType }
  | { readonly kind: "enum"; readonly enum: DescEnum }
  | { readonly kind: "message"; readonly message: DescMessage };

/** Messages that are one string in JSON, each with an example. */
const TEXTS: Readonly<Record<string, string>> = {
  "google.protobuf.Timestamp": "2030-01-31T12:00:00Z",
  "google.protobuf.Duration": "1.5s",
  "google.protobuf.FieldMask": "name,email",
};
/** Messages that can have any content, for which there is no form. */
const FREE = ["Any", "Struct", "Value", "ListValue"].map((name) => `google.protobuf.${name}`);
const WRAPPER = /^google\.protobuf\.(?:\w+)Value$/;

/** How a type of value is edited: by its parts, in a field of text or number, by choice, or as JSON. */
export type Editor =
  | { readonly kind: "text"; readonly example?: string }
  | { readonly kind: "number"; readonly isWhole: boolean; readonly isLong: boolean }
  | { readonly kind: "choice"; readonly options: readonly string[] }
  | { readonly kind: "truth" }
  | { readonly kind: "json" }
  | { readonly kind: "parts"; readonly message: DescMessage };

export function editorOf(type: ValueType): Editor {
  if (type.kind === "enum") return { kind: "choice", options: type.enum.values.map(({ name }) => name) };
  if (type.kind === "scalar") return scalarEditor(type.scalar);
  const { message } = type;
  const { typeName, fields } = message;
  const example = TEXTS[typeName];
  if (example !== undefined) return { kind: "text", example };
  if (FREE.includes(typeName)) return { kind: "json" };
  const [wrapped] = fields;
  if (WRAPPER.test(typeName) && wrapped?.fieldKind === "scalar") return scalarEditor(wrapped.scalar);
  return { kind: "parts", message };
}

function scalarEditor(scalar: ScalarType): Editor {
  switch (scalar) {
    case ScalarType.BOOL:
      return { kind: "truth" };
    case ScalarType.STRING:
      return { kind: "text" };
    case ScalarType.BYTES:
      return { kind: "text", example: "aGVsbG8=" };
    case ScalarType.FLOAT:
    case ScalarType.DOUBLE:
      return { kind: "number", isWhole: false, isLong: false };
    case ScalarType.INT64:
    case ScalarType.UINT64:
    case ScalarType.SINT64:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return { kind: "number", isWhole: true, isLong: true };
    default:
      return { kind: "number", isWhole: true, isLong: false };
  }
}

/** Returns the JSON of a value that has just been added. */
export function emptyValue(type: ValueType): JsonValue {
  const editor = editorOf(type);
  switch (editor.kind) {
    case "parts":
    case "json":
      return {};
    case "truth":
      return false;
    case "choice":
      return editor.options[0] ?? 0;
    case "number":
      return 0;
    default:
      return "";
  }
}

/** Returns the type of a field's value, or of each item or value of a list or map. */
export function valueTypeOf(field: DescField): ValueType {
  const { enum: enumType, message, scalar } = field;
  if (message) return { kind: "message", message };
  if (enumType) return { kind: "enum", enum: enumType };
  return { kind: "scalar", scalar: scalar ?? ScalarType.STRING };
}

/** Names a field's type as the contract does, such as `repeated string`. */
export function typeNameOf(field: DescField): string {
  const type = valueTypeOf(field);
  const name = nameOf(type);
  if (field.fieldKind === "list") return `repeated ${name}`;
  if (field.fieldKind === "map") return `map<${scalarName(field.mapKey)}, ${name}>`;
  return name;
}

function nameOf(type: ValueType): string {
  if (type.kind === "scalar") return scalarName(type.scalar);
  return (type.kind === "enum" ? type.enum : type.message).name;
}

function scalarName(scalar: ScalarType): string {
  return scalar === ScalarType.BYTES ? "bytes, in base64" : (ScalarType[scalar] ?? "").toLowerCase();
}
