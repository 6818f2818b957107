import type { DescFile, DescMessage, JsonValue } from "@bufbuild/protobuf";
import { streamsRequests } from "../vias.ts";
import { localNameOf, type SampledCall } from "./sampled-call.ts";

/** Packages whose generated code is @rollcall/gen. */
const OWN = /^(?:user|stream|rollcall|grpc|google\.rpc)(?:\.|$)/;

/** Makes the call with @rollcall/client in Node.js. Services that a host has mounted use their own generated code. */
export function typescriptSample(call: SampledCall): string {
  const { address, method, via, bodies, headers, timeoutMs, withToken } = call;
  const { input, output, localName, methodKind, parent } = method;
  const imports = new Map([
    ["@bufbuild/protobuf", new Set(["fromJson", "toJsonString"])],
    ["@rollcall/client/node", new Set(["createRollcall"])],
  ]);
  const use = (file: DescFile, name: string) => {
    const path = moduleOf(file);
    imports.set(path, (imports.get(path) ?? new Set()).add(name));
    return name;
  };
  const request = use(input.file, schemaOf(input));
  const answer = use(output.file, schemaOf(output));
  const service = use(parent.file, parent.name);
  const toRequest = (body: JsonValue) => `fromJson(${request}, ${JSON.stringify(body)})`;
  const options = [
    ...(timeoutMs === undefined ? [] : [`timeoutMs: ${timeoutMs}`]),
    ...(headers.length === 0 ? [] : [`headers: ${JSON.stringify(Object.fromEntries(headers))}`]),
  ].join(", ");
  const given = streamsRequests(method) ? "requests()" : toRequest(bodies[0] ?? {});
  const invocation = `service.${localName}(${given}${options === "" ? "" : `, { ${options} }`})`;
  const print = `console.log(toJsonString(${answer}, answer));`;
  return [
    ...[...imports].sort().map(([path, names]) => `import { ${[...names].sort().join(", ")} } from "${path}";`),
    "",
    "await using client = createRollcall({",
    `  baseUrl: ${JSON.stringify(address)},`,
    `  protocol: "${via === "connect" ? "connect" : "grpc-web"}",`,
    ...(withToken ? ["  token: process.env.ROLLCALL_TOKEN,"] : []),
    "});",
    `const service = client.service(${service});`,
    ...(streamsRequests(method)
      ? ["", "async function* requests() {", ...bodies.map((body) => `  yield ${toRequest(body)};`), "}"]
      : []),
    "",
    ...(methodKind === "unary" || methodKind === "client_streaming"
      ? [`const answer = await ${invocation};`, print]
      : [`for await (const answer of ${invocation}) {`, `  ${print}`, "}"]),
    "",
  ].join("\n");
}

function moduleOf({ name, proto }: DescFile): string {
  if (proto.package === "google.protobuf") return "@bufbuild/protobuf/wkt";
  return OWN.test(proto.package) ? `@rollcall/gen/${name}` : `./gen/${name}_pb.js`;
}

function schemaOf(message: DescMessage): string {
  return `${localNameOf(message, "_")}Schema`;
}
