import { ScalarType } from "@bufbuild/protobuf";
import type { Schema } from "./schema.ts";

/**
 * Texts with a number: JSON's own numbers lose the last digits of large ones (protobuf.dev/programming-guides/json).
 */
const signed64: Schema = { type: "string", format: "int64", pattern: "^-?[0-9]{1,19}$" };
const unsigned64: Schema = { type: "string", format: "uint64", pattern: "^[0-9]{1,20}$" };
const signed32: Schema = { type: "integer", format: "int32", minimum: -(2 ** 31), maximum: 2 ** 31 - 1 };
const unsigned32: Schema = { type: "integer", format: "uint32", minimum: 0, maximum: 2 ** 32 - 1 };
const string: Schema = { type: "string" };
const bytes: Schema = { type: "string", contentEncoding: "base64" };
const bool: Schema = { type: "boolean" };

function float(format: "float" | "double"): Schema {
  return { anyOf: [{ type: "number", format }, { enum: ["NaN", "Infinity", "-Infinity"] }] };
}

/** Schemas of scalar values in Protobuf's JSON form. */
export const scalarSchemas: Readonly<Record<ScalarType, Schema>> = {
  [ScalarType.STRING]: string,
  [ScalarType.BYTES]: bytes,
  [ScalarType.BOOL]: bool,
  [ScalarType.FLOAT]: float("float"),
  [ScalarType.DOUBLE]: float("double"),
  [ScalarType.INT32]: signed32,
  [ScalarType.SINT32]: signed32,
  [ScalarType.SFIXED32]: signed32,
  [ScalarType.UINT32]: unsigned32,
  [ScalarType.FIXED32]: unsigned32,
  [ScalarType.INT64]: signed64,
  [ScalarType.SINT64]: signed64,
  [ScalarType.SFIXED64]: signed64,
  [ScalarType.UINT64]: unsigned64,
  [ScalarType.FIXED64]: unsigned64,
};

/** Schemas of the well-known types that have JSON forms of their own. */
export const wellKnownSchemas: Readonly<Record<string, Schema>> = {
  "google.protobuf.Timestamp": { type: "string", format: "date-time", description: "A time, as RFC 3339 has it." },
  "google.protobuf.Duration": {
    type: "string",
    pattern: "^-?[0-9]{1,12}(\\.[0-9]{1,9})?s$",
    description: "A time span in seconds, such as `1.5s`.",
  },
  "google.protobuf.FieldMask": {
    type: "string",
    description: "Names of fields in lowerCamelCase, separated by commas.",
  },
  "google.protobuf.Empty": { type: "object", additionalProperties: false },
  "google.protobuf.Struct": { type: "object", additionalProperties: true, description: "Any JSON object." },
  "google.protobuf.Value": { description: "Any JSON value." },
  "google.protobuf.ListValue": { type: "array", items: {}, description: "Any JSON array." },
  "google.protobuf.NullValue": { type: "null" },
  "google.protobuf.Any": {
    type: "object",
    properties: { "@type": { type: "string", description: "URL that ends with the full name of the message's type." } },
    required: ["@type"],
    additionalProperties: true,
    description: "A message of any type, with its type's name.",
  },
  "google.protobuf.BoolValue": bool,
  "google.protobuf.StringValue": string,
  "google.protobuf.BytesValue": bytes,
  "google.protobuf.FloatValue": float("float"),
  "google.protobuf.DoubleValue": float("double"),
  "google.protobuf.Int32Value": signed32,
  "google.protobuf.UInt32Value": unsigned32,
  "google.protobuf.Int64Value": signed64,
  "google.protobuf.UInt64Value": unsigned64,
};
