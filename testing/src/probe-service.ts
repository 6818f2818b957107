import { create, createFileRegistry, type MessageInitShape, setExtension } from "@bufbuild/protobuf";
import type { GenService } from "@bufbuild/protobuf/codegenv2";
import {
  FileDescriptorProtoSchema,
  file_google_protobuf_descriptor,
  file_google_protobuf_wrappers,
  MethodOptions_IdempotencyLevel,
  MethodOptionsSchema,
  type StringValueSchema,
} from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import { AuthSchema, auth, file_rollcall_options_v1_auth } from "@rollcall/gen/rollcall/options/v1/auth";
import type { AppOptions } from "@rollcall/server";
import { methodName } from "@rollcall/server";

interface ProbeMethod<Kind extends string> {
  methodKind: Kind;
  input: typeof StringValueSchema;
  output: typeof StringValueSchema;
}

type Probe = GenService<{
  unary: ProbeMethod<"unary">;
  serverStream: ProbeMethod<"server_streaming">;
  clientStream: ProbeMethod<"client_streaming">;
  bidiStream: ProbeMethod<"bidi_streaming">;
}>;

const message = ".google.protobuf.StringValue";
const { NO_SIDE_EFFECTS } = MethodOptions_IdempotencyLevel;
const imports = [file_google_protobuf_wrappers.proto, file_rollcall_options_v1_auth.proto];
const files = [...imports, file_google_protobuf_descriptor.proto];

/** Describes probe.v1.ProbeService. @param policy The option of all its methods, if any. */
export function describeProbe(policy?: MessageInitShape<typeof AuthSchema>): Probe {
  const methods = [
    { name: "Unary", options: { idempotencyLevel: NO_SIDE_EFFECTS } },
    { name: "ServerStream", serverStreaming: true },
    { name: "ClientStream", clientStreaming: true },
    { name: "BidiStream", clientStreaming: true, serverStreaming: true },
  ].map(({ options: init, ...kind }) => {
    const options = create(MethodOptionsSchema, init);
    if (policy) setExtension(options, auth, create(AuthSchema, policy));
    return { ...kind, inputType: message, outputType: message, options };
  });
  const file = create(FileDescriptorProtoSchema, {
    name: "probe/v1/probe.proto",
    package: "probe.v1",
    syntax: "proto3",
    dependency: imports.map(({ name }) => name),
    service: [{ name: "ProbeService", method: methods }],
  });
  const registry = createFileRegistry(file, (path) => files.find(({ name }) => name === path));
  return registry.getService("probe.v1.ProbeService") as Probe;
}

/**
 * probe.v1.ProbeService: a method of each kind, with strings as requests and answers, that a test implements as it
 * needs.
 */
export const ProbeService: Probe = describeProbe();

export type ProbeHandlers = Partial<ServiceImpl<typeof ProbeService>>;

/** Returns options that mount the probe behind Rollcall's chain. The host requires the scope `streams`. */
export function withProbe(handlers: ProbeHandlers): Pick<AppOptions, "routes" | "permissions"> {
  return {
    routes: (router) => router.service(ProbeService, handlers),
    permissions: Object.fromEntries(ProbeService.methods.map((method) => [methodName(method), "streams"])),
  };
}
