import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import { mapErrors } from "./map-errors.ts";

/**
 * Reports a broken response as `internal`: one that ends within a message or without its end (Connect's
 * EndStreamResponse), or that can't be decompressed or parsed. Connect's decoders, which servers use too, report each
 * of these as invalid_argument, as if the caller had sent something wrong. Errors from the server itself, and from the
 * source of the request's messages, stay unchanged. Has to be the innermost interceptor.
 *
 * The Connect protocol names no code for it; its conformance suite expects internal.
 */
export const createResponseFaultInterceptor = (): Interceptor => (next) => async (request) => {
  const source: Source = { error: undefined };
  try {
    if (!request.stream) return await next(request);
    const response = await next({ ...request, message: watchSource(request.message, source) });
    if (!response.stream) return response;
    return { ...response, message: mapErrors(response.message, (error) => toInternal(error, source)) };
  } catch (error) {
    throw toInternal(error, source);
  }
};

/** Source of the request's messages, and the error that it threw. */
interface Source {
  error: unknown;
}

async function* watchSource<T>(messages: AsyncIterable<T>, source: Source): AsyncIterable<T> {
  try {
    yield* messages;
  } catch (error) {
    source.error = error;
    throw error;
  }
}

function toInternal(error: unknown, source: Source): unknown {
  // connect-web reports a stream without its end as a bare string.
  if (typeof error === "string") return new ConnectError(error, Code.Internal);
  const isOurs = error instanceof ConnectError && error.code === Code.InvalidArgument && !error.isWireError;
  if (!isOurs || error === source.error) return error;
  return new ConnectError(`broken response: ${error.rawMessage}`, Code.Internal, error.metadata, undefined, error);
}
