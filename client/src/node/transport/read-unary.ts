import type { IncomingHttpHeaders } from "node:http";
import type { Message } from "@bufbuild/protobuf";
import { Code, ConnectError, type UnaryResponse } from "@connectrpc/connect";
import type { Compression } from "@connectrpc/connect/protocol";
import { errorFromJsonBytes, trailerDemux } from "@connectrpc/connect/protocol-connect";
import { trailerParse } from "@connectrpc/connect/protocol-grpc-web";
import { COMPRESSED, ENVELOPE_HEADER_BYTES, sizeInEnvelope } from "@rollcall/shared/envelope";
import { MessageReader } from "@rollcall/shared/message-reader";
import { checkAnswer, isAnswer } from "../../internal/foreign-answer.ts";
import { toWebHeaders } from "../http/headers.ts";
import { broken, wrongCount } from "./faults.ts";
import { checkTrailer } from "./grpc-status.ts";
import { LazyResponse } from "./lazy-response.ts";
import type { MethodPlan } from "./plan.ts";

/** A complete answer to a call with one message in each direction, as it arrived. */
export interface UnaryAnswer {
  readonly plan: MethodPlan;
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly trailers: IncomingHttpHeaders | undefined;
  /** Whether the head is of the usual form, so that only body and trailers have to be read. */
  readonly isPlain: boolean;
  /** The body, unless `messages` has it. */
  readonly body: Uint8Array;
  readonly messages: MessageReader | undefined;
}

/** Returns the message of an answer, with its headers. @throws the server's error, or one for a broken answer. */
export function readUnary(answer: UnaryAnswer): UnaryResponse | Promise<UnaryResponse> {
  return (answer.isPlain && readPlain(answer)) || readClosely(answer);
}

/** Reads an answer of the most common form. Returns undefined for any other, and leaves it unread. */
function readPlain(answer: UnaryAnswer): UnaryResponse | undefined {
  const { plan, body, trailers, messages, headers } = answer;
  const { form } = plan;
  if (form.protocol === "connect") return new LazyResponse(plan, plan.parse(body), headers, undefined);
  if (form.protocol !== "grpc" || messages || trailers?.["grpc-status"] !== "0") return undefined;
  const isOnlyMessage = body[0] === 0 && body.byteLength === ENVELOPE_HEADER_BYTES + sizeInEnvelope(body);
  if (!isOnlyMessage || trailers["grpc-status-details-bin"] !== undefined) return undefined;
  return new LazyResponse(plan, plan.parse(body.subarray(ENVELOPE_HEADER_BYTES)), headers, trailers);
}

async function readClosely(answer: UnaryAnswer): Promise<UnaryResponse> {
  const { plan, status, body } = answer;
  const header = toWebHeaders(answer.headers);
  const isCompressed = header.has("content-encoding");
  if (!isAnswer(plan.contentType, status, header)) {
    await checkAnswer(plan.contentType, { status, header, isCompressed, open: () => [body] });
  }
  const { coding, error } = plan.form.readHead("unary", status, header, plan.options);
  const parts = plan.form.isUnaryEnveloped
    ? await readEnvelopes(answer, header, coding, error)
    : await readConnect(answer, header, coding, error);
  const { method } = plan;
  return { stream: false, service: method.parent, method: method as UnaryResponse["method"], ...parts };
}

type Parts = Pick<UnaryResponse, "header" | "trailer" | "message">;

async function readConnect(
  { plan, body }: UnaryAnswer,
  allHeaders: Headers,
  coding: Compression | undefined,
  statusError: ConnectError | undefined,
): Promise<Parts> {
  const [header, trailer] = trailerDemux(allHeaders);
  const bytes = coding ? await coding.decompress(body, plan.options.readMaxBytes) : body;
  if (statusError) {
    const metadata = new Headers(header);
    for (const [name, value] of trailer) metadata.append(name, value);
    throw errorFromJsonBytes(bytes, metadata, statusError);
  }
  return { header, trailer, message: plan.parse(bytes) };
}

async function readEnvelopes(
  answer: UnaryAnswer,
  header: Headers,
  coding: Compression | undefined,
  headerError: ConnectError | undefined,
): Promise<Parts> {
  const { plan, body } = answer;
  const { form, options } = plan;
  let { messages } = answer;
  if (!messages) {
    messages = new MessageReader(options.readMaxBytes);
    messages.push(body, false);
  }
  let message: Message | undefined;
  let trailer = form.endFlag === 0 ? toWebHeaders(answer.trailers ?? {}) : undefined;
  for (let bytes = messages.take(); bytes; bytes = messages.take()) {
    const isEnd = form.endFlag !== 0 && (messages.flags & form.endFlag) === form.endFlag;
    const content = await inflate(bytes, messages.flags, coding, options.readMaxBytes);
    if (isEnd) {
      if (trailer) throw wrongCount("received extra");
      trailer = trailerParse(content);
    } else if (message) throw wrongCount("received extra");
    else message = plan.parse(content);
  }
  if (messages.isWithin) throw broken("it ends within a message");
  if (!trailer) {
    if (headerError) throw headerError;
    const code = header.has("grpc-status") ? Code.Unimplemented : Code.Unknown;
    throw new ConnectError("protocol error: missing trailer", code);
  }
  checkTrailer(trailer, header);
  if (!message) {
    if (headerError) throw headerError;
    if (trailer.has("grpc-status")) throw wrongCount("missing");
    throw new ConnectError("protocol error: missing output message for unary method", Code.Unknown);
  }
  if (headerError) {
    const text = "protocol error: received output message for unary method with error status";
    throw new ConnectError(text, Code.Unknown);
  }
  return { header, trailer, message };
}

/** Returns the message in an envelope, decompressed. */
export async function inflate(
  bytes: Uint8Array,
  flags: number,
  coding: Compression | undefined,
  maxBytes: number,
): Promise<Uint8Array> {
  if ((flags & COMPRESSED) === 0) return bytes;
  if (!coding) throw broken("a message is flagged as compressed, but the answer names no encoding");
  return coding.decompress(bytes, maxBytes);
}
