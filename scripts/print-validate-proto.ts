/**
 * Prints buf/validate/validate.proto to .buf, from the descriptor that @bufbuild/protovalidate ships. buf needs the
 * file as source, and a copy in this repository could differ from the version that validates at run time.
 *
 * Leaves out options: the runtime has its own, and none of our rules needs them.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import type { DescEnum, DescExtension, DescField, DescMessage, DescOneof } from "@bufbuild/protobuf";
import { FieldDescriptorProto_Label as Label, FieldDescriptorProto_Type as Type } from "@bufbuild/protobuf/wkt";
import { file_buf_validate_validate as file } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";

/** Last field number. The end of a number range is exclusive in a descriptor; "max" is 2^29 - 1. */
const MAX_FIELD_NUMBER = 536870911;

function printType(field: DescField | DescExtension): string {
  const { type, typeName } = field.proto;
  return type === Type.MESSAGE || type === Type.ENUM ? typeName : (Type[type] ?? "").toLowerCase();
}

function printField(field: DescField | DescExtension): string {
  if (field.kind === "field" && field.fieldKind === "map") {
    throw new Error(`${field.parent.typeName}.${field.name}: map fields are not printed`);
  }
  const label = field.kind === "field" && field.oneof ? "" : `${(Label[field.proto.label] ?? "").toLowerCase()} `;
  return `${label}${printType(field)} ${field.name} = ${field.number};`;
}

function printOneof(oneof: DescOneof): string[] {
  return [`oneof ${oneof.name} {`, ...oneof.fields.map(printField), "}"];
}

function printEnum(desc: DescEnum): string[] {
  return [`enum ${desc.name} {`, ...desc.values.map((value) => `${value.name} = ${value.number};`), "}"];
}

function printExtensions(extensions: readonly DescExtension[]): string[] {
  return extensions.flatMap((extension) => [`extend .${extension.extendee.typeName} {`, printField(extension), "}"]);
}

function printMessage(desc: DescMessage): string[] {
  const ranges = desc.proto.extensionRange.map(({ start, end }) => {
    return `extensions ${start} to ${end - 1 === MAX_FIELD_NUMBER ? "max" : end - 1};`;
  });
  return [
    `message ${desc.name} {`,
    ...desc.nestedEnums.flatMap(printEnum),
    ...desc.nestedMessages.flatMap(printMessage),
    ...printExtensions(desc.nestedExtensions),
    ...desc.members.flatMap((member) => (member.kind === "oneof" ? printOneof(member) : printField(member))),
    ...ranges,
    "}",
  ];
}

const lines = [
  `syntax = "${file.proto.syntax || "proto2"}";`,
  `package ${file.proto.package};`,
  ...file.proto.dependency.map((path) => `import "${path}";`),
  `option go_package = "${file.proto.options?.goPackage}";`,
  `option java_multiple_files = ${file.proto.options?.javaMultipleFiles};`,
  `option java_package = "${file.proto.options?.javaPackage}";`,
  ...file.enums.flatMap(printEnum),
  ...file.messages.flatMap(printMessage),
  ...printExtensions(file.extensions),
];

const folder = new URL("../.buf/buf/validate/", import.meta.url);
mkdirSync(folder, { recursive: true });
writeFileSync(new URL("validate.proto", folder), `${lines.join("\n")}\n`);
