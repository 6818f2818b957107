import { Code, ConnectError, type Interceptor, type Transport } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";

export interface FetchTransportOptions {
  /** Where the server is, as `https://rollcall.example.com`. */
  baseUrl: string;
  /** Around every call; the first is the outermost. */
  interceptors?: Interceptor[];
  /** Deadline of calls that set none, in milliseconds. Default: the server's. */
  defaultTimeoutMs?: number;
}

/** Unary and server-streaming calls by the Connect protocol over fetch, reads as GET: all that fetch can carry. */
export function createFetchTransport({ interceptors = [], ...options }: FetchTransportOptions): Transport {
  return createConnectTransport({
    ...options,
    interceptors: [...interceptors, tellNetworkErrors],
    useBinaryFormat: true,
    useHttpGet: true,
  });
}

/** What fetch throws when the network fails, a TypeError in words of the browser's own, becomes unavailable. */
const tellNetworkErrors: Interceptor = (next) => async (request) => {
  try {
    const response = await next(request);
    return response.stream ? { ...response, message: tellEach(response.message) } : response;
  } catch (error) {
    throw toUnavailable(error);
  }
};

async function* tellEach<T>(messages: AsyncIterable<T>): AsyncIterable<T> {
  try {
    yield* messages;
  } catch (error) {
    throw toUnavailable(error);
  }
}

function toUnavailable(error: unknown): unknown {
  const cause = error instanceof ConnectError ? error.cause : error;
  if (!(cause instanceof TypeError)) return error;
  return new ConnectError("network error", Code.Unavailable, undefined, undefined, cause);
}
