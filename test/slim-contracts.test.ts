import { type DescFile, type DescMessage, fromBinary } from "@bufbuild/protobuf";
import { embedFileDesc } from "@bufbuild/protobuf/codegenv2";
import { nestedTypes } from "@bufbuild/protobuf/reflect";
import { base64Decode } from "@bufbuild/protobuf/wire";
import {
  FileDescriptorProtoSchema,
  file_google_protobuf_any,
  file_google_protobuf_duration,
  file_google_protobuf_field_mask,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
} from "@bufbuild/protobuf/wkt";
import { file_google_rpc_error_details } from "@rollcall/gen/google/rpc/error_details";
import { file_stream_v1_stream } from "@rollcall/gen/stream/v1/stream";
import { file_user_v1_user } from "@rollcall/gen/user/v1/user";
import { expect, test } from "vitest";
import { slim } from "../web/slim-contracts.ts";
import { slimFile } from "../web/src/api/slim-file.ts";

const files: readonly DescFile[] = [
  file_google_protobuf_any,
  file_google_protobuf_duration,
  file_google_protobuf_field_mask,
  file_google_protobuf_timestamp,
  // No page has it; it has an enum, a oneof and a map.
  file_google_protobuf_struct,
  file_google_rpc_error_details,
  file_stream_v1_stream,
  file_user_v1_user,
];

test.each(files.map((file) => [file.name, file] as const))("%s means the same without its options", (_name, file) => {
  const embedded = fromBinary(FileDescriptorProtoSchema, base64Decode(embedFileDesc(file.proto).base64()));
  const literal: object = JSON.parse(JSON.stringify(slim(embedded)));
  expect(JSON.stringify(literal)).not.toMatch(/buf\.validate|users:|\$unknown/);
  expect(meaningOf(slimFile(literal, file.dependencies))).toEqual(meaningOf(file));
});

/** Returns all of a contract that decides how messages and calls are encoded. */
function meaningOf(file: DescFile) {
  return [...nestedTypes(file)].map((type) => {
    if (type.kind === "enum") return [type.typeName, type.open, type.values.map(plainOf)];
    if (type.kind === "message") return [type.typeName, ...fieldsOf(type)];
    if (type.kind === "extension") return [type.typeName];
    return [
      type.typeName,
      type.methods.map((method) => ({
        ...plainOf(method),
        input: method.input.typeName,
        output: method.output.typeName,
      })),
    ];
  });
}

function fieldsOf({ fields }: DescMessage) {
  return fields.map((field) => ({
    ...plainOf(field),
    types: [field.message?.typeName, field.enum?.typeName, field.oneof?.name],
    default: "getDefaultValue" in field ? field.getDefaultValue?.() : undefined,
  }));
}

/** Returns the properties of a descriptor that are no other descriptors. */
function plainOf(descriptor: object) {
  return Object.fromEntries(
    Object.entries(descriptor).filter(([, value]) => !["object", "function"].includes(typeof value)),
  );
}
