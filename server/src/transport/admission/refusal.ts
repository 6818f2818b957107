import type { ConnectError } from "@connectrpc/connect";
import { encodeEnvelope } from "@connectrpc/connect/protocol";
import { codeToHttpStatus, endStreamFlag, endStreamToJson, errorToJson } from "@connectrpc/connect/protocol-connect";
import { setTrailerStatus } from "@connectrpc/connect/protocol-grpc";

const MAX_KNOWN_TYPES = 32;

/** Answer that refuses a call, without the headers that differ from call to call. */
export interface RefusalAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Undefined if the answer ends with its headers. */
  readonly body: Buffer | undefined;
}

/**
 * Prepares the answers with which an error refuses calls before anything else handles them. There is one for each
 * protocol, made once, since refusing has to cost far less than serving.
 *
 * @param retryAfterMs Time to wait before the next try, for temporary errors: `Retry-After` (RFC 9110, 10.2.3), and
 * `grpc-retry-pushback-ms` (gRFC A6).
 * @returns Function that returns the answer for a request's content-type.
 */
export function createRefusal(error: ConnectError, retryAfterMs?: number): (contentType: string) => RefusalAnswer {
  const retry: Record<string, string> =
    retryAfterMs === undefined ? {} : { "retry-after": String(Math.ceil(retryAfterMs / 1_000)) };
  const pushback: Record<string, string> =
    retryAfterMs === undefined ? {} : { "grpc-retry-pushback-ms": String(retryAfterMs) };
  const status = Object.fromEntries(setTrailerStatus(new Headers(), error));

  const end = Buffer.from(JSON.stringify(endStreamToJson(new Headers(), error, undefined)));

  const unary: RefusalAnswer = {
    status: codeToHttpStatus(error.code),
    headers: { "content-type": "application/json", ...retry },
    body: Buffer.from(JSON.stringify(errorToJson(error, undefined))),
  };
  // gRPC's Trailers-Only form: the status is in the only header block.
  const grpc: RefusalAnswer = { status: 200, headers: { ...status, ...pushback }, body: undefined };
  const stream: RefusalAnswer = {
    status: 200,
    headers: retry,
    body: Buffer.from(encodeEnvelope(endStreamFlag, end)),
  };
  const byContentType = new Map<string, RefusalAnswer>();
  const make = (contentType: string): RefusalAnswer => {
    const answer = formOf(contentType);
    return answer === unary ? unary : { ...answer, headers: { "content-type": contentType, ...answer.headers } };
  };
  const formOf = (contentType: string): RefusalAnswer => {
    if (/^application\/grpc/i.test(contentType)) return grpc;
    return /^application\/connect\+/i.test(contentType) ? stream : unary;
  };
  return (contentType) => {
    const known = byContentType.get(contentType);
    if (known) return known;
    const answer = make(contentType);
    // Clients choose the content type, so the map is bounded. Only some ten types are meaningful.
    if (byContentType.size < MAX_KNOWN_TYPES) byContentType.set(contentType, answer);
    return answer;
  };
}
