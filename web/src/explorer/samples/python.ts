import type { DescFile } from "@bufbuild/protobuf";
import { streamsRequests } from "../vias.ts";
import { authorityOf, literalOf, localNameOf, type SampledCall } from "./sampled-call.ts";

/** Makes the call with grpcio. */
export function pythonSample(call: SampledCall): string {
  const { address, method, bodies, headers, timeoutMs, withToken } = call;
  const { methodKind, name, input, parent } = method;
  const service = moduleOf(parent.file);
  const request = moduleOf(input.file);
  const imports = new Map<string, Set<string>>();
  for (const [path, module] of [
    [service.path, service.name],
    [service.path, `${service.name}_grpc`],
    [request.path, request.name],
  ] as const) {
    imports.set(path, (imports.get(path) ?? new Set()).add(module));
  }
  const metadata = [
    ...(withToken ? [`("authorization", f"Bearer {os.environ['ROLLCALL_TOKEN']}")`] : []),
    ...headers.map(([key, value]) => `(${JSON.stringify(key.toLowerCase())}, ${JSON.stringify(value)})`),
  ];
  const options = [
    ...(metadata.length === 0 ? [] : [`metadata=[${metadata.join(", ")}]`]),
    ...(timeoutMs === undefined ? [] : [`timeout=${timeoutMs / 1_000}`]),
  ];
  const messages = bodies.map((body) => `Parse(${literalOf(body, "'")}, ${request.name}.${localNameOf(input, ".")}())`);
  const sends = streamsRequests(method);
  const given = sends ? "iter(requests)" : (messages[0] ?? "");
  const invocation = `service.${name}(${[given, ...options].join(", ")})`;
  const target = JSON.stringify(authorityOf(address));
  const channel = address.startsWith("https:")
    ? `grpc.secure_channel(${target}, grpc.ssl_channel_credentials())`
    : `grpc.insecure_channel(${target})`;
  return [
    ...(withToken ? ["import os", ""] : []),
    "import grpc",
    "from google.protobuf.json_format import MessageToJson, Parse",
    ...[...imports].map(([path, names]) => `${path === "" ? "" : `from ${path} `}import ${[...names].join(", ")}`),
    "",
    ...(sends ? ["requests = [", ...messages.map((message) => `    ${message},`), "]", ""] : []),
    `with ${channel} as channel:`,
    `    service = ${service.name}_grpc.${parent.name}Stub(channel)`,
    ...(methodKind === "unary" || methodKind === "client_streaming"
      ? [`    print(MessageToJson(${invocation}))`]
      : [`    for answer in ${invocation}:`, "        print(MessageToJson(answer))"]),
    "",
  ].join("\n");
}

/** Returns the package and the module of a file's generated code. */
function moduleOf({ name }: DescFile): { path: string; name: string } {
  const parts = name.split("/");
  const last = parts.pop() ?? "";
  return { path: parts.join("."), name: `${last.replaceAll("-", "_")}_pb2` };
}
