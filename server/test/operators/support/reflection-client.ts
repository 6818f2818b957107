import { create, createFileRegistry, type FileRegistry, fromBinary } from "@bufbuild/protobuf";
import { type FileDescriptorProto, FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { type CallOptions, createClient, type Transport } from "@connectrpc/connect";
import { createWritableIterable } from "@connectrpc/connect/protocol";
import { ServerReflection } from "@rollcall/gen/grpc/reflection/v1/reflection";
import { ServerReflection as ServerReflectionAlpha } from "@rollcall/gen/grpc/reflection/v1alpha/reflection";

export const versions = [
  { version: "v1", service: ServerReflection },
  { version: "v1alpha", service: ServerReflectionAlpha },
] as const;

type Service = (typeof versions)[number]["service"];

/** Request of either version, without the host. */
export type Question =
  | { case: "fileByFilename" | "fileContainingSymbol" | "allExtensionNumbersOfType" | "listServices"; value: string }
  | { case: "fileContainingExtension"; value: { containingType: string; extensionNumber: number } };

/** Opens a client with one stream, which asks one question after the other. */
export function openReflection(transport: Transport, service: Service, options: CallOptions = {}) {
  const requests = createWritableIterable<{ host: string; messageRequest: Question | { case: undefined } }>();
  // Both versions have the same methods; the types of their messages differ only by name.
  const client = createClient(service as typeof ServerReflection, transport);
  const answers = client.serverReflectionInfo(requests as never, options)[Symbol.asyncIterator]();
  const ask = async (messageRequest: Question | { case: undefined }) => {
    void requests.write({ host: "example.com", messageRequest }).catch(() => {});
    const { done, value } = await answers.next();
    if (done) throw new Error("the stream has ended");
    return value;
  };
  const files = async (question: Question): Promise<FileDescriptorProto[]> => {
    const { messageResponse: answer } = await ask(question);
    if (answer.case !== "fileDescriptorResponse") throw new Error(`no files: ${answer.case}`);
    return answer.value.fileDescriptorProto.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes));
  };
  return {
    ask,
    files,
    /** Loads all files of the server. */
    async load(): Promise<{ names: string[]; registry: FileRegistry }> {
      const { messageResponse: answer } = await ask({ case: "listServices", value: "*" });
      if (answer.case !== "listServicesResponse") throw new Error(`no list: ${answer.case}`);
      const names = answer.value.service.map(({ name }) => name);
      const known = new Map<string, FileDescriptorProto>();
      for (const value of names) {
        for (const file of await files({ case: "fileContainingSymbol", value })) known.set(file.name, file);
      }
      return { names, registry: createFileRegistry(create(FileDescriptorSetSchema, { file: inOrder(known) })) };
    },
    /** Returns whether the server has ended the stream, after its next message or its end. */
    hasEnded: async () => (await answers.next()).done === true,
    /** Ends the stream on this side, and waits for the server to end it. */
    async end(): Promise<void> {
      requests.close();
      await answers.next();
    },
  };
}

/** Sorts files so that each comes after the files that it imports. */
function inOrder(files: ReadonlyMap<string, FileDescriptorProto>): FileDescriptorProto[] {
  const sorted = new Set<FileDescriptorProto>();
  const add = (name: string) => {
    const file = files.get(name);
    if (!file) throw new Error(`${name} was not sent`);
    if (sorted.has(file)) return;
    for (const dependency of file.dependency) add(dependency);
    sorted.add(file);
  };
  for (const name of files.keys()) add(name);
  return [...sorted];
}
