import { readFile } from "node:fs/promises";
import { createFileRegistry, createRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { UsageError } from "./exit.ts";
import { sizeOfFile } from "./input.ts";
import { jsonRegistry } from "./methods.ts";
import type { Contracts } from "./reflection.ts";

/** Largest file that is read, in bytes: many times the largest contracts. */
const MAX_BYTES = 64 * 1024 ** 2;

/**
 * Reads compiled contracts (google.protobuf.FileDescriptorSet, with imports), as written by `buf build -o` and protoc's
 * `--descriptor_set_out`.
 *
 * @throws UsageError for a file that can't be read, or is not one.
 */
export async function readDescriptors(path: string): Promise<Contracts> {
  if (((await sizeOfFile(path)) ?? 0) > MAX_BYTES) throw new UsageError(`${path} is larger than ${MAX_BYTES} bytes`);
  const bytes = await readFile(path);
  try {
    const files = createFileRegistry(fromBinary(FileDescriptorSetSchema, bytes));
    const methods = [...files].flatMap((type) => (type.kind === "service" ? type.methods : []));
    return { methods, registry: createRegistry(jsonRegistry, files) };
  } catch (error) {
    const hint = "make it by buf build -o FILE.binpb, or protoc --include_imports --descriptor_set_out FILE";
    throw new UsageError(`${path} is no compiled contract with its imports: ${hint}`, { cause: error });
  }
}
