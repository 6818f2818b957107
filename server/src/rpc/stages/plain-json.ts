import { Code, ConnectError } from "@connectrpc/connect";
import type { UniversalHandler } from "@connectrpc/connect/protocol";
import { watchStream } from "@rollcall/shared/watch-stream";
import { isByteStream } from "./byte-stream.ts";

/** Content types whose bodies are messages in envelopes. */
const ENVELOPED = /^application\/(?:(?:grpc|grpc-web)(?:\+(?:json|proto))?|connect\+(?:json|proto))$/;

type Starts = ReadonlySet<number | undefined>;
/**
 * First bytes of JSON: of an object, a list or a string, of white space before them, or of a byte order mark. None of
 * them is a valid flags byte.
 */
const JSON_STARTS: Starts = new Set(
  ["{", "[", '"', " ", "\t", "\n", "\r", "\ufeff"].map((start) => Buffer.from(start)[0]),
);
/** The same where protobuf is expected. All others may begin a protobuf message without an envelope. */
const OBJECT_START: Starts = new Set(["{".charCodeAt(0)]);

/**
 * Wraps a handler that would read the first characters of plain JSON as the length of a message, such as 577,860,965
 * bytes. Refuses such a body with an error that explains envelopes.
 */
export function refusePlainJson(handler: UniversalHandler): UniversalHandler {
  const refusing = ({ body, ...request }: Parameters<UniversalHandler>[0]) => {
    const contentType = request.header.get("content-type") ?? "";
    if (!isByteStream(body) || !ENVELOPED.test(contentType)) return handler({ ...request, body });
    const isUnary = handler.method.methodKind === "unary";
    return handler({ ...request, body: checkStart(body, contentType, isUnary) });
  };
  return Object.assign(refusing, handler);
}

/** Returns the same chunks, and checks only their first byte. */
function checkStart(
  chunks: AsyncIterable<Uint8Array>,
  contentType: string,
  isUnary: boolean,
): AsyncIterable<Uint8Array> {
  let isStart = true;
  return watchStream(chunks, {
    onMessage([firstByte]) {
      if (!isStart || firstByte === undefined) return;
      isStart = false;
      assertEnveloped(firstByte, contentType, isUnary);
    },
  });
}

/**
 * Refuses the body of a content type with envelopes if it begins like plain JSON.
 *
 * @throws ConnectError invalid_argument
 */
export function assertEnveloped(firstByte: number | undefined, contentType: string, isUnary: boolean): void {
  const starts = contentType.endsWith("+json") ? JSON_STARTS : OBJECT_START;
  if (starts.has(firstByte)) throw plainJsonError(contentType, isUnary);
}

function plainJsonError(contentType: string, isUnary: boolean): ConnectError {
  const alternative = isUnary ? ", or content-type: application/json" : "";
  const message = contentType.endsWith("+json") ? "JSON" : "protobuf message";
  return new ConnectError(
    `this is plain JSON: for ${contentType}, send each message in an envelope (a byte 0, the length in four bytes, then the ${message})${alternative}`,
    Code.InvalidArgument,
  );
}
