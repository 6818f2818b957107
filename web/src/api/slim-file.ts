import { createFileRegistry, type DescFile } from "@bufbuild/protobuf";
import { protoCamelCase } from "@bufbuild/protobuf/reflect";
import type { FileDescriptorProto } from "@bufbuild/protobuf/wkt";

/** Values that a slim contract leaves out, for descriptors of all kinds. */
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
 * Creates the descriptor of a proto file, from its literal and the files that it imports. `web/slim-contracts.ts` makes
 * the literal from the generated code.
 */
export function slimFile(literal: object, imports: readonly DescFile[] = []): DescFile {
  const proto = fill(literal) as FileDescriptorProto;
  proto.dependency = imports.map((file) => file.proto.name);
  const registry = createFileRegistry(proto, (name) => imports.find((file) => file.proto.name === name));
  const file = registry.getFile(proto.name);
  if (!file) throw new Error(`${proto.name} is missing`);
  return file;
}

/**
 * Adds the values that a literal leaves out. They come from a prototype, since protobuf distinguishes an object's own
 * values.
 */
function fill(literal: unknown): unknown {
  if (Array.isArray(literal)) return literal.map(fill);
  if (typeof literal !== "object" || literal === null) return literal;
  const own = Object.entries(literal).map(([key, value]) => [key, fill(value)]);
  const filled = Object.assign(Object.create(DEFAULTS), Object.fromEntries(own));
  if ("number" in literal && "type" in literal) filled.jsonName ??= protoCamelCase(filled.name);
  return filled;
}
