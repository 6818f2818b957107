import type { DescFile } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import type {
  ErrorResponse,
  FileDescriptorResponse,
  ServerReflectionRequest,
} from "@rollcall/gen/grpc/reflection/v1/reflection";
import type { ServerReflectionRequest as ServerReflectionRequestAlpha } from "@rollcall/gen/grpc/reflection/v1alpha/reflection";
import type { SchemaIndex } from "./schema-index.ts";

type Fields<Message> = Omit<Message, "$typeName" | "$unknown">;

/** Answer to one request, with the fields that both versions of the contract have. */
export type Answer =
  | { case: "fileDescriptorResponse"; value: Fields<FileDescriptorResponse> }
  | { case: "allExtensionNumbersResponse"; value: { baseTypeName: string; extensionNumber: number[] } }
  | { case: "listServicesResponse"; value: { service: { name: string }[] } }
  | { case: "errorResponse"; value: Fields<ErrorResponse> };

/** Question of one request. Both versions of the contract have the same. */
export type Question = Pick<ServerReflectionRequest | ServerReflectionRequestAlpha, "messageRequest">;

export interface Schemas {
  readonly index: SchemaIndex;
  readonly serviceNames: readonly string[];
}

/**
 * Answers one request of reflection. Errors are a part of the answer, as the protocol prescribes: the stream continues
 * after one.
 *
 * @param sent Names of the files that the stream's client already has. It gets a file with all its imports, except
 * those that it has.
 */
export function answer({ messageRequest }: Question, { index, serviceNames }: Schemas, sent: Set<string>): Answer {
  const fileAnswer = (file: DescFile | undefined, name: string): Answer =>
    file ? filesAnswer(file, index, sent) : fault(Code.NotFound, `not found: ${name}`);
  switch (messageRequest.case) {
    case "fileByFilename":
      return fileAnswer(index.fileByName(messageRequest.value), messageRequest.value);
    case "fileContainingSymbol":
      return fileAnswer(index.fileBySymbol(messageRequest.value), messageRequest.value);
    case "fileContainingExtension": {
      const { containingType, extensionNumber } = messageRequest.value;
      const name = `extension ${extensionNumber} of ${containingType}`;
      return fileAnswer(index.fileByExtension(containingType, extensionNumber), name);
    }
    case "allExtensionNumbersOfType": {
      const baseTypeName = messageRequest.value;
      const extensionNumber = index.extensionNumbers(baseTypeName);
      if (!extensionNumber) return fault(Code.NotFound, `not found: ${baseTypeName}`);
      return { case: "allExtensionNumbersResponse", value: { baseTypeName, extensionNumber } };
    }
    case "listServices":
      return { case: "listServicesResponse", value: { service: serviceNames.map((name) => ({ name })) } };
    default:
      return fault(Code.InvalidArgument, "message_request is not set, or not known");
  }
}

/** Sends the file first, and then its imports. */
function filesAnswer(file: DescFile, index: SchemaIndex, sent: Set<string>): Answer {
  const files = new Set([file]);
  for (const { dependencies } of files) {
    for (const dependency of dependencies) if (!sent.has(dependency.proto.name)) files.add(dependency);
  }
  for (const { proto } of files) sent.add(proto.name);
  return { case: "fileDescriptorResponse", value: { fileDescriptorProto: [...files].map((f) => index.bytesOf(f)) } };
}

function fault(errorCode: Code, errorMessage: string): Answer {
  return { case: "errorResponse", value: { errorCode, errorMessage } };
}
