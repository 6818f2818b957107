import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import { type StreamEnd, watchStream } from "@rollcall/shared/watch-stream";

/**
 * Reports a broken response as `internal`: one that ends within a message or without its end (Connect's
 * EndStreamResponse), or that can't be decompressed or parsed. Connect's decoders, which servers use too, report each
 * of these as invalid_argument, as if the caller had sent something wrong. Errors from the server itself, and from the
 * source of the request's messages, stay unchanged. Must be the innermost interceptor.
 *
 * The other way round, Connect reports a request that can't be encoded as internal; see {@link toRequestFault}.
 *
 * The Connect protocol specifies no code for this case; its conformance suite expects internal.
 */
export const createResponseFaultInterceptor = (): Interceptor => (next) => async (request) => {
  let sourceError: unknown;
  const mapError = (error: unknown) => (error === sourceError ? error : toInternal(error));
  const noteError = (end: StreamEnd) => {
    if (end.how === "failed") sourceError = end.error;
  };
  try {
    if (!request.stream) return await next(request);
    const response = await next({ ...request, message: watchStream(request.message, { onEnd: noteError }) });
    return response.stream ? { ...response, message: watchStream(response.message, { mapError }) } : response;
  } catch (error) {
    throw mapError(error);
  }
};

function toInternal(error: unknown): unknown {
  // connect-web throws a plain string for a stream without its end.
  if (typeof error === "string") return new ConnectError(error, Code.Internal);
  const fault = toRequestFault(error);
  if (fault !== error) return fault;
  const isOurs = error instanceof ConnectError && error.code === Code.InvalidArgument && !error.isWireError;
  if (!isOurs) return error;
  return new ConnectError(`broken response: ${error.rawMessage}`, Code.Internal, error.metadata, undefined, error);
}

/**
 * Converts the error of Connect's encoder, such as for a fraction in a field of whole numbers, to invalid_argument: the
 * fault is the caller's. Returns any other error unchanged.
 */
export function toRequestFault(error: unknown): unknown {
  const isOurs = error instanceof ConnectError && error.code === Code.Internal && !error.isWireError;
  if (!isOurs || !error.rawMessage.startsWith("serialize ")) return error;
  const text = error.rawMessage.replace(/^serialize \w+: /, "");
  return new ConnectError(text, Code.InvalidArgument, undefined, undefined, error);
}
