import { clone, create, type DescExtension, type DescFile, toBinary } from "@bufbuild/protobuf";
import { nestedTypes } from "@bufbuild/protobuf/reflect";
import { FileDescriptorProtoSchema, FileDescriptorSetSchema, type MethodOptions } from "@bufbuild/protobuf/wkt";

/** Finds contract files by the names that clients of reflection ask for. */
export class SchemaIndex {
  readonly #files = new Map<string, DescFile>();
  readonly #symbols = new Map<string, DescFile>();
  /** Extensions by the type that they extend, then by number. */
  readonly #extensions = new Map<string, Map<number, DescFile>>();
  readonly #bytes = new WeakMap<DescFile, Uint8Array>();

  /** @param files Files to find, with all their imports. If two have the same name, the first counts. */
  constructor(files: Iterable<DescFile>) {
    for (const file of files) this.#add(file);
  }

  /** Returns a file by its name, such as `user/v1/user.proto`. */
  fileByName(name: string): DescFile | undefined {
    return this.#files.get(name);
  }

  /** Returns the file that declares a symbol, by its full name: a type, service, method, field, oneof, enum value or extension. */
  fileBySymbol(name: string): DescFile | undefined {
    return this.#symbols.get(name);
  }

  fileByExtension(typeName: string, number: number): DescFile | undefined {
    return this.#extensions.get(typeName)?.get(number);
  }

  /** Returns the numbers of all extensions of a message type; undefined if there is no such type. */
  extensionNumbers(typeName: string): number[] | undefined {
    const numbers = this.#extensions.get(typeName)?.keys();
    if (numbers) return [...numbers].sort((a, b) => a - b);
    const file = this.#symbols.get(typeName);
    if (!file) return undefined;
    for (const type of nestedTypes(file)) if (type.kind === "message" && type.typeName === typeName) return [];
    return undefined;
  }

  /** Returns a file as a google.protobuf.FileDescriptorProto. */
  bytesOf(file: DescFile): Uint8Array {
    let bytes = this.#bytes.get(file);
    if (!bytes) {
      bytes = toBinary(FileDescriptorProtoSchema, file.proto);
      this.#bytes.set(file, bytes);
    }
    return bytes;
  }

  /**
   * Returns all files as a google.protobuf.FileDescriptorSet, each after its imports. It includes only services with
   * the given names, and only the options that `optionsOf` returns for their methods.
   */
  descriptorSet(
    serviceNames: readonly string[],
    optionsOf: (method: string, options: MethodOptions | undefined) => MethodOptions | undefined,
  ): Uint8Array {
    const file = importsFirst(this.#files.values()).map(({ proto }) => {
      const copy = clone(FileDescriptorProtoSchema, proto);
      const fullName = (name: string) => `${proto.package}.${name}`.replace(/^\./, "");
      copy.service = copy.service.filter(({ name }) => serviceNames.includes(fullName(name)));
      for (const { name, method } of copy.service) {
        for (const one of method) one.options = optionsOf(`${fullName(name)}/${one.name}`, one.options);
      }
      return copy;
    });
    return toBinary(FileDescriptorSetSchema, create(FileDescriptorSetSchema, { file }));
  }

  #add(file: DescFile): void {
    // `file.name` lacks the ending `.proto`, which imports have.
    if (this.#files.has(file.proto.name)) return;
    this.#files.set(file.proto.name, file);
    for (const symbol of symbolsOf(file)) if (!this.#symbols.has(symbol)) this.#symbols.set(symbol, file);
    for (const type of nestedTypes(file)) if (type.kind === "extension") this.#addExtension(type);
    for (const dependency of file.dependencies) this.#add(dependency);
  }

  #addExtension({ extendee: { typeName }, number, file }: DescExtension): void {
    const known = this.#extensions.get(typeName) ?? new Map<number, DescFile>();
    this.#extensions.set(typeName, known);
    if (!known.has(number)) known.set(number, file);
  }
}

function importsFirst(files: Iterable<DescFile>): DescFile[] {
  const ordered = new Map<string, DescFile>();
  const visited = new Set<string>();
  const visit = (file: DescFile) => {
    if (visited.has(file.proto.name)) return;
    visited.add(file.proto.name);
    for (const dependency of file.dependencies) visit(dependency);
    ordered.set(file.proto.name, file);
  };
  for (const file of files) visit(file);
  return [...ordered.values()];
}

function* symbolsOf(file: DescFile): Iterable<string> {
  for (const type of nestedTypes(file)) {
    yield type.typeName;
    switch (type.kind) {
      case "message":
        for (const { name } of [...type.fields, ...type.oneofs]) yield `${type.typeName}.${name}`;
        break;
      case "service":
        for (const { name } of type.methods) yield `${type.typeName}.${name}`;
        break;
      case "enum": {
        // Values are siblings of their enum, not its children (google/protobuf/descriptor.proto).
        const scope = type.typeName.slice(0, -type.name.length);
        for (const { name } of type.values) yield scope + name;
        break;
      }
      default:
        break;
    }
  }
}
