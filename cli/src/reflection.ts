import { createFileRegistry, createRegistry, type DescMethod, fromBinary, type Registry } from "@bufbuild/protobuf";
import { type FileDescriptorProto, FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { type CallOptions, type Client, Code, ConnectError } from "@connectrpc/connect";
import type { NodeRollcall } from "@rollcall/client/node";
import {
  type FileDescriptorResponse,
  ServerReflection,
  type ServerReflectionRequest,
  type ServerReflectionResponse,
} from "@rollcall/gen/grpc/reflection/v1/reflection";
import { jsonRegistry } from "./methods.ts";

/** Most services whose contracts are read. */
const MAX_SERVICES = 1_000;

type Question = ServerReflectionRequest["messageRequest"];

/** Services that the command does not know itself, as a server or a file describes them. */
export interface Contracts {
  readonly methods: readonly DescMethod[];
  /** Types that google.protobuf.Any may hold in JSON. */
  readonly registry: Registry;
}

/**
 * Reads the contracts of a server's services by gRPC's reflection.
 *
 * @param isKnown Whether a service, by its name, can be left out.
 * @returns nothing from a server without reflection.
 */
export async function reflect(
  client: NodeRollcall,
  isKnown: (serviceName: string) => boolean,
  options: CallOptions,
): Promise<Contracts> {
  const reflection = client.service(ServerReflection);
  const names = (await listServices(reflection, options)).filter((name) => !isKnown(name)).slice(0, MAX_SERVICES);
  const protos = new Map<string, FileDescriptorProto>();
  const read = async (messageRequest: Question): Promise<FileDescriptorProto | undefined> => {
    const { case: kind, value } = await ask(reflection, messageRequest, options);
    if (kind !== "fileDescriptorResponse") return undefined;
    const files = filesIn(value);
    for (const file of files) protos.set(file.name, file);
    return files[0];
  };
  const registries: Registry[] = [];
  const methods: DescMethod[] = [];
  for (const name of names) {
    const file = await read({ case: "fileContainingSymbol", value: name });
    if (!file) continue;
    await readImports(file, protos, read);
    const registry = createFileRegistry(file, (imported) => protos.get(imported));
    registries.push(registry);
    methods.push(...(registry.getService(name)?.methods ?? []));
  }
  return { methods, registry: createRegistry(jsonRegistry, ...registries) };
}

async function listServices(reflection: Client<typeof ServerReflection>, options: CallOptions): Promise<string[]> {
  try {
    const { case: kind, value } = await ask(reflection, { case: "listServices", value: "" }, options);
    return kind === "listServicesResponse" ? value.service.map(({ name }) => name) : [];
  } catch (error) {
    if (ConnectError.from(error).code === Code.Unimplemented) return [];
    throw error;
  }
}

/** Reads the files that a file imports, if the server has not sent them with it. */
async function readImports(
  { dependency }: FileDescriptorProto,
  protos: ReadonlyMap<string, FileDescriptorProto>,
  read: (question: Question) => Promise<FileDescriptorProto | undefined>,
): Promise<void> {
  const names = [...dependency];
  const seen = new Set(names);
  for (const name of names) {
    const file = protos.get(name) ?? (await read({ case: "fileByFilename", value: name }));
    for (const next of file?.dependency ?? []) {
      if (!seen.has(next)) names.push(next);
      seen.add(next);
    }
  }
}

function filesIn({ fileDescriptorProto }: FileDescriptorResponse): FileDescriptorProto[] {
  return fileDescriptorProto.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes));
}

async function ask(
  reflection: Client<typeof ServerReflection>,
  messageRequest: Question,
  options: CallOptions,
): Promise<ServerReflectionResponse["messageResponse"]> {
  const requests = (async function* () {
    yield { messageRequest };
  })();
  for await (const { messageResponse } of reflection.serverReflectionInfo(requests, options)) return messageResponse;
  throw new ConnectError("the server has not answered its reflection", Code.Internal);
}
