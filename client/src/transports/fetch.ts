import { Code, ConnectError, type Interceptor, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-web";
import { watchStream } from "@rollcall/shared/watch-stream";
import { createResponseFaultInterceptor } from "../interceptors/response-faults.ts";
import { createWellFormedInterceptor } from "../interceptors/well-formed.ts";
import { withCheckedHeaders } from "../internal/checked-headers.ts";
import { fetchAnswer } from "../internal/foreign-answer.ts";
import { RequestNotSentError } from "../internal/not-sent.ts";
import { parseServerAddress } from "../internal/server-address.ts";

export interface FetchTransportOptions {
  /** Address of the server, such as `https://rollcall.example.com`. */
  baseUrl: string;
  /** Interceptors around every call, outermost first. */
  interceptors?: Interceptor[];
  /** Deadline of calls that set none, in milliseconds. Default: the server's. */
  defaultTimeoutMs?: number;
}

/**
 * Creates a transport for unary and server-streaming calls, which is all that fetch can carry. Uses the Connect
 * protocol, with reads as GET.
 *
 * @throws TypeError for a baseUrl that {@link parseServerAddress} refuses.
 */
export function createFetchTransport(options: FetchTransportOptions): Transport {
  return withCheckedHeaders(createConnectTransport({ ...overFetch(options), useHttpGet: true }));
}

/**
 * Creates the same by gRPC-Web, which makes no GET.
 *
 * @throws TypeError for a baseUrl that {@link parseServerAddress} refuses.
 */
export function createGrpcWebFetchTransport(options: FetchTransportOptions): Transport {
  return withCheckedHeaders(createGrpcWebTransport(overFetch(options)));
}

/**
 * Returns the options of a transport over fetch. Its innermost interceptors refuse requests that can't be sent as they
 * are, and turn the network errors of fetch and Connect into codes.
 */
function overFetch({ interceptors = [], baseUrl, ...options }: FetchTransportOptions) {
  return {
    ...options,
    baseUrl: parseServerAddress(baseUrl).href,
    fetch: fetchAnswer,
    interceptors: [
      ...interceptors,
      createWellFormedInterceptor(),
      reportNetworkErrors,
      createResponseFaultInterceptor(),
    ],
    useBinaryFormat: true,
  };
}

/** Turns a network error of fetch, a TypeError in the browser's own words, into unavailable. */
const reportNetworkErrors: Interceptor = (next) => async (request) => {
  try {
    const response = await next(request);
    if (!response.stream) return response;
    return { ...response, message: watchStream(response.message, { mapError: toUnavailable }) };
  } catch (error) {
    throw toUnavailable(error);
  }
};

function toUnavailable(error: unknown): unknown {
  const cause = error instanceof ConnectError ? error.cause : error;
  if (!(cause instanceof TypeError)) return error;
  const { code = "", message = "" } = (cause.cause ?? {}) as { code?: string; message?: string };
  if (!NOT_CONNECTED.has(code)) return new ConnectError("network error", Code.Unavailable, undefined, undefined, cause);
  const notSent = new RequestNotSentError(`network error: ${message || code}`, { cause });
  return new ConnectError(notSent.message, Code.Unavailable, undefined, undefined, notSent);
}

/**
 * Errors of Node's fetch when no connection was made. Browsers do not distinguish a refused connection from one that
 * was lost during a call. There, either may have reached the server.
 */
const NOT_CONNECTED: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "UND_ERR_CONNECT_TIMEOUT",
]);
