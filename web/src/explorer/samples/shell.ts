import { methodName } from "@rollcall/shared/method-name";
import { authority, envelope, isSecure, quote, urlOf } from "../../calls/shell-commands.ts";
import { authorityOf, type SampledCall } from "./sampled-call.ts";

const CONTINUED = " \\\n  ";

/** Makes the call with curl: Connect with JSON. In a stream, each message begins with five bytes. */
export function curlSample(call: SampledCall): string {
  const { address, method, bodies } = call;
  const isUnary = method.methodKind === "unary";
  const messages = bodies.map((body) => JSON.stringify(body));
  // Only HTTP/2 carries both directions at the same time.
  const http = isSecure(address) ? ` ${authority("--cacert")}` : isUnary ? "" : " --http2-prior-knowledge";
  const command = [
    `curl -sS${isUnary ? "" : "N"}${http} ${urlOf(address, method)}`,
    ...headerFlags(call, "connect-timeout-ms"),
    `-H 'content-type: application/${isUnary ? "" : "connect+"}json'`,
    isUnary ? `-d ${quote(messages.join())}` : "--data-binary @- --output -",
  ].join(CONTINUED);
  return isUnary ? command : `printf ${quote(messages.map(envelope).join(""))} |\n  ${command}`;
}

/** Makes the call with grpcurl, which asks the server for the contract. */
export function grpcurlSample(call: SampledCall): string {
  const { address, method, bodies, timeoutMs, isReflected } = call;
  const flags = [
    `grpcurl ${isSecure(address) ? authority("-cacert") : "-plaintext"}`,
    ...(isReflected ? [] : [`-import-path proto -proto ${method.parent.file.proto.name}`]),
    ...headerFlags(call),
    ...(timeoutMs === undefined ? [] : [`-max-time ${timeoutMs / 1_000}`]),
    `-d ${quote(bodies.map((body) => JSON.stringify(body)).join("\n"))}`,
    `${authorityOf(address)} ${methodName(method)}`,
  ];
  return withoutPath(address) + flags.join(CONTINUED);
}

/** Makes the call with buf curl, by the protocol that was chosen. */
export function bufCurlSample(call: SampledCall): string {
  const { address, method, via, bodies, timeoutMs, isReflected, withToken } = call;
  const command = [
    `npx buf curl --protocol ${via === "connect" ? "connect" : "grpcweb"} ${isSecure(address) ? authority("--cacert") : "--http2-prior-knowledge"}`,
    ...(isReflected ? (withToken ? ["--reflect-header '*'"] : []) : ["--schema ."]),
    ...headerFlags(call),
    `-d ${quote(bodies.map((body) => JSON.stringify(body)).join("\n"))}`,
    urlOf(address, method),
  ].join(CONTINUED);
  return timeoutMs === undefined ? command : `# buf curl has no option for a deadline.\n${command}`;
}

function headerFlags({ headers, timeoutMs, withToken }: SampledCall, timeoutName?: string): string[] {
  return [
    ...(withToken ? ['-H "authorization: Bearer $ROLLCALL_TOKEN"'] : []),
    ...headers.map(([name, value]) => `-H ${quote(`${name}: ${value}`)}`),
    ...(timeoutMs === undefined || !timeoutName ? [] : [`-H '${timeoutName}: ${timeoutMs}'`]),
  ];
}

/** gRPC's own clients do not support a path before a service, which a proxy may have added. */
function withoutPath(address: string): string {
  const { pathname } = new URL(address);
  return pathname === "/" ? "" : `# gRPC has no ${pathname} in front of its paths: call a port that needs none.\n`;
}
