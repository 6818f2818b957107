import type { DescMethod } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { ConnectError } from "@connectrpc/connect";
import { createAsyncIterable, type UniversalHandler, type UniversalServerResponse } from "@connectrpc/connect/protocol";
import { codeFromHttpStatus, errorToJsonBytes } from "@connectrpc/connect/protocol-connect";
import { callKey } from "../context.ts";

/**
 * The charset marks the body as an explanation for people: a gRPC client that looks for Connect's own errors does not
 * take it for one.
 */
export const EXPLANATION_TYPE = "application/json; charset=utf-8";

type Request = Parameters<UniversalHandler>[0];

/**
 * Wraps a handler, so that its bare refusals explain what to send instead, as Connect's JSON error. They are those for
 * the wrong content type (415), the wrong verb (405, with Allow), and the wrong HTTP version (505). A refused token
 * gets its challenge (RFC 6750, 3).
 */
export function explainRefusals(handler: UniversalHandler): UniversalHandler {
  const explained = async (request: Request): Promise<UniversalServerResponse> => {
    const response = await handler(request);
    if (response.status === 200) return response;
    const header = new Headers(response.header);
    if (response.status === 401) header.set("www-authenticate", "Bearer");
    const error = response.body ? undefined : refusalOf(response.status, request.method, handler.method);
    if (!error) return { ...response, header };
    if (response.status === 405) header.set("allow", verbsOf(handler.method).join(", "));
    request.contextValues?.get(callKey)?.fail(error);
    return { ...response, ...jsonError(error, header) };
  };
  return Object.assign(explained, handler);
}

/** Returns body and header of an answer with Connect's JSON error. */
export function jsonError(error: ConnectError, header: Headers = new Headers()) {
  const bytes = errorToJsonBytes(error, undefined);
  header.set("content-type", EXPLANATION_TYPE);
  header.set("content-length", String(bytes.byteLength));
  return { header, body: createAsyncIterable([bytes]) };
}

/** Returns the error that explains a bare refusal; undefined for any other status. */
export function refusalOf(status: number, verb: string, method: DescMethod): ConnectError | undefined {
  const { name } = method;
  // Use the code that clients of Connect and gRPC derive from the status, whatever the body says.
  const code = codeFromHttpStatus(status);
  switch (status) {
    case 415:
      return new ConnectError(contentToSend(verb, method), code);
    case 405:
      return new ConnectError(`${name} takes ${verbsOf(method).join(" and ")}`, code);
    case 505:
      return new ConnectError(`${name} is a bidi stream: it needs HTTP/2 or a WebSocket`, code);
    default:
      return undefined;
  }
}

function contentToSend(verb: string, { name, methodKind }: DescMethod): string {
  if (verb === "GET") return "add encoding=json and message={} to the query";
  if (methodKind === "unary") return "send content-type: application/json";
  return `${name} is a stream: send content-type: application/connect+json`;
}

/** Returns the HTTP methods that an RPC accepts. */
export function verbsOf(method: DescMethod): string[] {
  return isRead(method) ? ["POST", "GET"] : ["POST"];
}

/** Returns whether Connect also accepts GET for a method: it does for unary ones without side effects. */
export function isRead({ idempotency, methodKind }: DescMethod): boolean {
  return idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS && methodKind === "unary";
}
