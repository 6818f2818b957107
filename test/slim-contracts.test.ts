import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import {
  create,
  createFileRegistry,
  type DescFile,
  type DescMessage,
  fromBinary,
  getOption,
  toBinary,
} from "@bufbuild/protobuf";
import { boot, embedFileDesc, messageDesc } from "@bufbuild/protobuf/codegenv2";
import { nestedTypes } from "@bufbuild/protobuf/reflect";
import { base64Decode } from "@bufbuild/protobuf/wire";
import {
  FileDescriptorProtoSchema,
  type FileDescriptorSet,
  FileDescriptorSetSchema,
  file_google_protobuf_any,
  file_google_protobuf_duration,
  file_google_protobuf_field_mask,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
} from "@bufbuild/protobuf/wkt";
import { file_google_rpc_error_details } from "@rollcall/gen/google/rpc/error_details";
import { auth } from "@rollcall/gen/rollcall/options/v1/auth";
import { file_stream_v1_stream } from "@rollcall/gen/stream/v1/stream";
import { file_user_v1_user } from "@rollcall/gen/user/v1/user";
import { expect, test } from "vitest";
import { slim } from "../web/slim-contracts.ts";
import { contractIn, slimContract } from "../web/slim-descriptor.ts";
import { slimFile } from "../web/src/api/slim-file.ts";

const files: readonly DescFile[] = [
  file_google_protobuf_any,
  file_google_protobuf_duration,
  file_google_protobuf_field_mask,
  file_google_protobuf_timestamp,
  // No page uses this file; it has an enum, a oneof and a map.
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

test("contracts read by the short form of protobuf's own mean the same, options included", () => {
  const code = readFileSync(
    fileURLToPath(new URL("./google/protobuf/descriptor_pb.js", import.meta.resolve("@bufbuild/protobuf/wkt"))),
    "utf8",
  );
  const contract = contractIn(code) ?? expect.fail();
  const short = slimContract(contract);
  const namesOf = ({ messageType }: typeof contract) => messageType.map(({ name }) => name);
  // Messages are looked up by their index, so they must keep it.
  expect(namesOf(short)).toEqual(namesOf(contract).slice(0, short.messageType.length));
  expect(JSON.stringify(short).length).toBeLessThan(0.8 * JSON.stringify(contract).length);

  const file = [file_user_v1_user, ...file_user_v1_user.dependencies];
  const bytes = toBinary(FileDescriptorSetSchema, create(FileDescriptorSetSchema, { file: withDependencies(file) }));
  const read = fromBinary(messageDesc(boot(short), 0), bytes) as FileDescriptorSet;
  const found = createFileRegistry(read).getFile(file_user_v1_user.proto.name) ?? expect.fail();
  expect(meaningOf(found)).toEqual(meaningOf(file_user_v1_user));
  const scopesOf = ({ services }: DescFile) =>
    services.flatMap(({ methods }) => methods.map((method) => getOption(method, auth).caller));
  expect(scopesOf(found)).toEqual(scopesOf(file_user_v1_user));
  // The samples for Go import this package.
  expect(found.proto.options?.goPackage).toBe("github.com/myapp/gen/user/v1;userv1");
});

/** Returns the descriptors of files and of all their imports, each once. Imports come before their importers. */
function withDependencies(files: readonly DescFile[]) {
  const all = new Map<string, DescFile["proto"]>();
  const add = ({ proto, dependencies }: DescFile): void => {
    dependencies.forEach(add);
    all.set(proto.name, proto);
  };
  files.forEach(add);
  return [...all.values()];
}

/** Returns all parts of a contract that decide how messages and calls are encoded. */
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

/** Returns the properties of a descriptor that are plain values, not other descriptors. */
function plainOf(descriptor: object) {
  return Object.fromEntries(
    Object.entries(descriptor).filter(([, value]) => !["object", "function"].includes(typeof value)),
  );
}
