import type { JsonValue } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { codeFromHttpStatus, errorFromJson, parseContentType } from "@connectrpc/connect/protocol-connect";
import { findCause } from "./not-sent.ts";
import { readStream } from "./read-stream.ts";

/** Prefix of the content types of Connect's streams. */
const STREAM = "application/connect+";
/** Largest error in JSON that is read, in bytes: more than any server sends. */
export const MAX_ERROR_BYTES = 64 * 1024;

/**
 * Cause of an error for an answer that does not come from a Rollcall server: HTTP with a status or type that the call's
 * protocol does not use. It comes from an intermediary, such as a proxy that refuses a request of this size, or from
 * another server at the address.
 */
export class ForeignAnswerError extends Error {
  override name = "ForeignAnswerError";
  /** HTTP status; 0 for a redirect, whose status a browser does not show. */
  readonly status: number;
  constructor(status: number, contentType: string) {
    const what = status === 0 ? "a redirect" : `HTTP ${status}`;
    const type = contentType === "" ? "" : ` with ${contentType}`;
    super(
      `${what}${type} is no answer of this API: it comes from something in between, such as a proxy, or from another server`,
    );
    this.status = status;
  }
}

/** Returns the {@link ForeignAnswerError} among an error and its causes. */
export function findForeignAnswer(error: unknown): ForeignAnswerError | undefined {
  return findCause(error, ForeignAnswerError);
}

/**
 * Works like the global `fetch`, but rejects for a redirect, and for an answer that is not of the request's protocol.
 */
export async function fetchAnswer(...[input, init]: Parameters<typeof fetch>): Promise<Response> {
  // Only this mode lets browsers distinguish a redirect from a network that is down.
  const response = await globalThis.fetch(input, { ...init, redirect: "manual" });
  const { status, headers: header, body } = response;
  const sent = typeOfRequest(String(input), new Headers(init?.headers));
  // `fetch` has inflated the body, whatever the header says.
  const open = () => readStream(body ?? new Blob().stream());
  const chunks = await checkAnswer(sent, { status, header, isCompressed: false, open }).catch((error: unknown) => {
    // Not awaited: the call is over.
    body?.cancel().catch(() => {});
    throw error;
  });
  return chunks ? new Response(new Blob(chunks), response) : response;
}

/** An answer, before it is read by its protocol. */
export interface Answer {
  readonly status: number;
  readonly header: Headers;
  /**
   * Whether the body is still compressed. If so, it comes from a server that knows which codings the client accepts.
   */
  readonly isCompressed: boolean;
  /** Returns the chunks of the unread body. */
  open(): AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

/**
 * Checks that an answer is of the request's protocol. If the body had to be read for that, returns its chunks.
 *
 * @param sent Content type of the request.
 * @throws ConnectError for a foreign answer, and with the refusal of a server that did not recognise the request as a
 * call.
 */
export async function checkAnswer(sent: string, answer: Answer): Promise<Uint8Array<ArrayBuffer>[] | undefined> {
  const { status, header, isCompressed } = answer;
  if (isAnswer(sent, status, header)) return undefined;
  checkHead(sent, status, header);
  const chunks = await readError(sent, answer);
  if (!isCompressed) checkJsonError(await parseJson(chunks), sent, status, header);
  return chunks;
}

/**
 * Returns whether a response's status and type are of the request's protocol. gRPC and gRPC-Web are recognised by their
 * type, or by a gRPC status as sent by proxies that know gRPC; Connect by both status and type.
 *
 * @param sent Content type of the request.
 */
export function isAnswer(sent: string, status: number, header: Headers): boolean {
  const type = typeOf(header);
  if (sent.startsWith("application/grpc")) return type.startsWith("application/grpc") || header.has("grpc-status");
  if (status !== 200) return false;
  return sent.startsWith(STREAM) ? type.startsWith(STREAM) : type === sent;
}

/**
 * Checks the head of an answer that is not of the request's protocol: only for JSON does the body matter.
 *
 * @param sent Content type of the request.
 * @throws ConnectError for a foreign answer.
 */
export function checkHead(sent: string, status: number, header: Headers): void {
  if (!isJsonError(status, header)) throw foreignAnswer(sent, status, header);
}

/**
 * Returns whether this may be an error in the JSON of Connect's unary protocol. A server also refuses requests that are
 * not calls in this form.
 */
function isJsonError(status: number, header: Headers): boolean {
  return status !== 200 && typeOf(header) === "application/json";
}

/**
 * @throws ConnectError with the server's refusal, or for a foreign answer, unless the request's own protocol reads this
 * JSON.
 */
function checkJsonError(json: unknown, sent: string, status: number, header: Headers): void {
  const foreign = foreignAnswer(sent, status, header);
  const { code, message } = (json ?? {}) as { code?: unknown; message?: unknown };
  const isUnaryConnect = /^application\/(?:proto|json)$/.test(sent);
  if (typeof code !== "string") {
    // Connect allows an error without a code. Its message is then the best description there is.
    if (!isUnaryConnect || typeof message !== "string" || message === "") throw foreign;
    throw new ConnectError(message, foreign.code, header, undefined, foreign.cause);
  }
  if (!isUnaryConnect) throw errorFromJson(json as JsonValue, header, foreign);
}

async function readError(sent: string, { open, status, header }: Answer): Promise<Uint8Array<ArrayBuffer>[]> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  for await (const chunk of open()) {
    size += chunk.byteLength;
    if (size > MAX_ERROR_BYTES) throw foreignAnswer(sent, status, header);
    chunks.push(new Uint8Array(chunk));
  }
  return chunks;
}

async function parseJson(chunks: Uint8Array<ArrayBuffer>[]): Promise<unknown> {
  return new Response(new Blob(chunks)).json().catch(() => null);
}

function foreignAnswer(sent: string, status: number, header: Headers): ConnectError {
  const type = typeOf(header);
  const cause = new ForeignAnswerError(status, type);
  return new ConnectError(cause.message, codeOf(sent, status, type), header, undefined, cause);
}

function codeOf(sent: string, status: number, type: string): Code {
  // The protocols translate this status to unknown. But a page that says "too large" is right, whoever sends it.
  if (status === 413 && type !== "") return Code.ResourceExhausted;
  // A content type of Connect's that the request did not ask for.
  if (status === 200 && !sent.startsWith("application/grpc") && parseContentType(type)) return Code.Internal;
  return codeFromHttpStatus(status);
}

/** Returns the content type of a request. A Connect GET has it in its query. */
function typeOfRequest(url: string, header: Headers): string {
  return header.get("content-type") ?? `application/${new URL(url).searchParams.get("encoding")}`;
}

function typeOf(header: Headers): string {
  return /^[\w.+/-]{1,80}/.exec((header.get("content-type") ?? "").trim().toLowerCase())?.[0] ?? "";
}
