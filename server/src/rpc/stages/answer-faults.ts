import { encodeEnvelope, type UniversalHandler, type UniversalServerResponse } from "@connectrpc/connect/protocol";
import { createEndStreamSerialization, endStreamFlag } from "@connectrpc/connect/protocol-connect";
import { createTrailerSerialization, trailerFlag } from "@connectrpc/connect/protocol-grpc-web";
import { callKey } from "../context.ts";
import { internalError } from "../record/call-record.ts";
import { jsonError } from "./explain-refusals.ts";

/**
 * Wraps a handler, so that neither it nor the body of its answer ever throws. A failure that no protocol can report,
 * such as one while a status is written, still ends the call with a status in the form of the caller's protocol. The
 * cause goes to the log. Stands inside of `observeCalls`, whose record it reports to.
 */
export function answerFaults(handler: UniversalHandler): UniversalHandler {
  const answered = async (request: Parameters<UniversalHandler>[0]): Promise<UniversalServerResponse> => {
    const contentType = request.header.get("content-type") ?? "";
    const report = (error: unknown) => request.contextValues?.get(callKey)?.failInServer(error);
    try {
      const response = await handler(request);
      if (!response.body) return response;
      const trailer = response.trailer;
      return { ...response, body: endWithStatus(response.body, contentType, trailer, report) };
    } catch (error) {
      report(error);
      return faultResponse(contentType);
    }
  };
  return Object.assign(answered, handler);
}

/**
 * Returns a complete answer that says that the server is at fault: 500 over Connect, a status over gRPC and gRPC-Web.
 */
export function faultResponse(contentType: string): UniversalServerResponse {
  const end = faultEnd(contentType);
  if (!end) return { status: 500, ...jsonError(internalError()) };
  const trailer = isGrpc(contentType) ? grpcStatus() : undefined;
  const header = new Headers({ "content-type": contentType });
  return { status: 200, header, body: end(), ...(trailer && { trailer }) };
}

/** Passes the chunks on. If they fail, ends with the protocol's error for an answer that has begun, if it has one. */
function endWithStatus(
  chunks: AsyncIterable<Uint8Array>,
  contentType: string,
  trailer: Headers | undefined,
  report: (error: unknown) => unknown,
): AsyncIterable<Uint8Array> {
  const end = faultEnd(contentType);
  return {
    [Symbol.asyncIterator]() {
      let iterator = chunks[Symbol.asyncIterator]();
      return {
        async next() {
          try {
            return await iterator.next();
          } catch (error) {
            if (!end) throw error;
            report(error);
            for (const [name, value] of grpcStatus()) trailer?.set(name, value);
            iterator = end()[Symbol.asyncIterator]();
            return iterator.next();
          }
        },
        async return(value) {
          return (await iterator.return?.(value)) ?? { done: true, value };
        },
        async throw(error) {
          return (await iterator.throw?.(error)) ?? Promise.reject(error);
        },
      };
    },
  };
}

/** Returns the end of a failed answer's body; undefined if only the HTTP status can report the failure. */
function faultEnd(contentType: string): (() => AsyncIterable<Uint8Array>) | undefined {
  if (isGrpc(contentType)) return async function* () {};
  if (/^application\/grpc-web/i.test(contentType)) {
    return async function* () {
      yield encodeEnvelope(trailerFlag, createTrailerSerialization().serialize(grpcStatus()));
    };
  }
  if (/^application\/connect\+/i.test(contentType)) {
    return async function* () {
      const end = { metadata: new Headers(), error: internalError() };
      yield encodeEnvelope(endStreamFlag, createEndStreamSerialization(undefined).serialize(end));
    };
  }
  return undefined;
}

function isGrpc(contentType: string): boolean {
  return /^application\/grpc(?:$|[+;\s])/i.test(contentType);
}

function grpcStatus(): Headers {
  const { code, rawMessage } = internalError();
  return new Headers({ "grpc-status": String(code), "grpc-message": encodeURIComponent(rawMessage) });
}
