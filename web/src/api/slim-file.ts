import { createFileRegistry, type DescFile } from "@bufbuild/protobuf";
import { protoCamelCase } from "@bufbuild/protobuf/reflect";
import type { FileDescriptorProto } from "@bufbuild/protobuf/wkt";

/** Values of what a slim contract leaves out, for descriptors of all sorts. */
const DEFAULTS = {
  $typeName: "google.protobuf.FileDescriptorProto",
  syntax: "",
  package: "",
  messageType: [],
  enumType: [],
  service: [],
  extension: [],
  nestedType: [],
  field: [],
  oneofDecl: [],
  label: 1,
  typeName: "",
  value: [],
  method: [],
};

/**
 * Creates the descriptor of a proto file from its literal, which `web/slim-contracts.ts` makes of the generated
 * code, with the files that it imports.
 */
export function slimFile(literal: object, imports: readonly DescFile[] = []): DescFile {
  const proto = fill(literal) as FileDescriptorProto;
  proto.dependency = imports.map((file) => file.proto.name);
  const registry = createFileRegistry(proto, (name) => imports.find((file) => file.proto.name === name));
  const file = registry.getFile(proto.name);
  if (!file) throw new Error(`${proto.name} is missing`);
  return file;
}

/** Fills in what a literal leaves out. A prototype does it, since protobuf asks objects which values are their own. */
function fill(literal: unknown): unknown {
  if (Array.isArray(literal)) return literal.map(fill);
  if (typeof literal !== "object" || literal === null) return literal;
  const own = Object.entries(literal).map(([key, value]) => [key, fill(value)]);
  const filled = Object.assign(Object.create(DEFAULTS), Object.fromEntries(own));
  if ("number" in literal && "type" in literal) filled.jsonName ??= protoCamelCase(filled.name);
  return filled;
}
