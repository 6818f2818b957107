import { create, createFileRegistry } from "@bufbuild/protobuf";
import type { GenService } from "@bufbuild/protobuf/codegenv2";
import {
  FileDescriptorProtoSchema,
  file_google_protobuf_wrappers,
  MethodOptions_IdempotencyLevel,
  type StringValueSchema,
} from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import type { AppOptions } from "@rollcall/server";
import { methodName } from "@rollcall/server";

interface ProbeMethod<Kind extends string> {
  methodKind: Kind;
  input: typeof StringValueSchema;
  output: typeof StringValueSchema;
}

const message = ".google.protobuf.StringValue";
const file = create(FileDescriptorProtoSchema, {
  name: "probe/v1/probe.proto",
  package: "probe.v1",
  syntax: "proto3",
  dependency: [file_google_protobuf_wrappers.proto.name],
  service: [
    {
      name: "ProbeService",
      method: [
        {
          name: "Unary",
          inputType: message,
          outputType: message,
          options: { idempotencyLevel: MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS },
        },
        { name: "ServerStream", inputType: message, outputType: message, serverStreaming: true },
        { name: "ClientStream", inputType: message, outputType: message, clientStreaming: true },
        { name: "BidiStream", inputType: message, outputType: message, clientStreaming: true, serverStreaming: true },
      ],
    },
  ],
});

/** probe.v1.ProbeService: a method of each kind, strings in and strings out, that a test implements as it needs. */
export const ProbeService = createFileRegistry(file, () => file_google_protobuf_wrappers.proto).getService(
  "probe.v1.ProbeService",
) as GenService<{
  unary: ProbeMethod<"unary">;
  serverStream: ProbeMethod<"server_streaming">;
  clientStream: ProbeMethod<"client_streaming">;
  bidiStream: ProbeMethod<"bidi_streaming">;
}>;

export type ProbeHandlers = Partial<ServiceImpl<typeof ProbeService>>;

/** Options that mount the probe behind Rollcall's chain; its methods ask for the scope `streams`. */
export function withProbe(handlers: ProbeHandlers): Pick<AppOptions, "routes" | "permissions"> {
  return {
    routes: (router) => router.service(ProbeService, handlers),
    permissions: Object.fromEntries(ProbeService.methods.map((method) => [methodName(method), "streams"])),
  };
}
