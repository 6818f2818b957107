import { ConnectError } from "@connectrpc/connect";
import { createAsyncIterable, type UniversalHandler, type UniversalServerResponse } from "@connectrpc/connect/protocol";
import { watchStream } from "@rollcall/shared/watch-stream";
import { callKey } from "../context.ts";
import { type CallRecord, internalError } from "../record/call-record.ts";
import { answerEnd, errorAtEnd, grpcStatus, isAtEnd } from "./answer-end.ts";
import { jsonError } from "./explain-refusals.ts";

/**
 * Wraps a handler, so that neither it nor the body of its answer ever throws. Some failures can't be reported by any
 * protocol, such as one while a status is written; others Connect reports to the caller alone, such as a message of the
 * answer that can't be encoded. Both now end the call with a status in the form of the caller's protocol, and their
 * cause is logged. It stands inside of `observeCalls`, whose record it reports to.
 */
export function answerFaults(handler: UniversalHandler): UniversalHandler {
  const answered = async (request: Parameters<UniversalHandler>[0]): Promise<UniversalServerResponse> => {
    const contentType = request.header.get("content-type") ?? "";
    const call = request.contextValues?.get(callKey);
    try {
      const response = await handler(request);
      return { ...response, ...endWithStatus(response, contentType, call) };
    } catch (error) {
      call?.failInServer(error);
      return faultResponse(contentType);
    }
  };
  return Object.assign(answered, handler);
}

/** Returns a complete answer that reports a fault of the server: 500 over Connect, a status over gRPC and gRPC-Web. */
export function faultResponse(contentType: string): UniversalServerResponse {
  const end = answerEnd(contentType);
  if (!end) return { status: 500, ...jsonError(internalError()) };
  const chunk = end.faultChunk();
  const header = new Headers({ "content-type": contentType });
  if (!chunk) return { status: 200, header, body: createAsyncIterable<Uint8Array>([]), trailer: grpcStatus() };
  return { status: 200, header, body: createAsyncIterable([chunk]) };
}

/**
 * Passes the chunks on. If they fail, or end with an error that nobody has reported, the answer ends with the
 * protocol's error for that case, if there is one.
 */
function endWithStatus({ body, header, trailer }: UniversalServerResponse, contentType: string, call?: CallRecord) {
  const end = answerEnd(contentType);
  if (!body || !end) return undefined;
  const coding = header?.get("grpc-encoding") ?? header?.get("connect-content-encoding");
  let isOver = false;
  const fail = (error: unknown): IteratorResult<Uint8Array> => {
    isOver = true;
    call?.failInServer(error);
    trailer?.delete("grpc-status-details-bin");
    for (const [name, value] of grpcStatus()) trailer?.set(name, value);
    const value = end.faultChunk();
    return value ? { done: false, value } : { done: true, value };
  };
  return {
    body: watchStream(body, {
      async read(next) {
        if (isOver) return { done: true, value: undefined };
        try {
          const result = await next();
          if (!isAtEnd(end, result) || call?.hasFailed) return result;
          const error = await errorAtEnd(end, result, trailer, coding);
          return error ? fail(new ConnectError(error.rawMessage, error.code)) : result;
        } catch (error) {
          return fail(error);
        }
      },
    }),
  };
}
