import { Code, ConnectError } from "@connectrpc/connect";
import type { UniversalHandler } from "@connectrpc/connect/protocol";
import { isByteStream } from "./observe-calls.ts";

/** Content types whose bodies are JSON in envelopes. */
const ENVELOPED_JSON = /^application\/(?:grpc|grpc-web|connect)\+json$/;

/** First bytes of JSON: an object, a list, a string. None of them is a byte of flags. */
const JSON_STARTS: ReadonlySet<number | undefined> = new Set(["{", "[", '"'].map((start) => start.charCodeAt(0)));

/**
 * Wraps a handler that would take the first characters of plain JSON for the length
 * of a message, such as 577,860,965 bytes: refuses it with a hint at envelopes.
 */
export function refusePlainJson(handler: UniversalHandler): UniversalHandler {
  const refusing = ({ body, ...request }: Parameters<UniversalHandler>[0]) => {
    const contentType = request.header.get("content-type") ?? "";
    if (!isByteStream(body) || !ENVELOPED_JSON.test(contentType)) return handler({ ...request, body });
    const isUnary = handler.method.methodKind === "unary";
    return handler({ ...request, body: checkStart(body, contentType, isUnary) });
  };
  return Object.assign(refusing, handler);
}

async function* checkStart(
  chunks: AsyncIterable<Uint8Array>,
  contentType: string,
  isUnary: boolean,
): AsyncIterable<Uint8Array> {
  let isStart = true;
  for await (const chunk of chunks) {
    if (isStart && JSON_STARTS.has(chunk[0])) throw plainJsonError(contentType, isUnary);
    isStart &&= chunk.byteLength === 0;
    yield chunk;
  }
}

function plainJsonError(contentType: string, isUnary: boolean): ConnectError {
  const alternative = isUnary ? ", or content-type: application/json" : "";
  return new ConnectError(
    `this is plain JSON: for ${contentType}, send each message in an envelope (a byte 0, the length in four bytes, then the JSON)${alternative}`,
    Code.InvalidArgument,
  );
}
