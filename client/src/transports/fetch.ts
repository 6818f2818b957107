import { Code, ConnectError, type Interceptor, type Transport } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import { abortable } from "@rollcall/shared/abortable";
import { watchStream } from "@rollcall/shared/watch-stream";
import { createResponseFaultInterceptor } from "../interceptors/response-faults.ts";
import { createWellFormedInterceptor } from "../interceptors/well-formed.ts";
import { checkOptions, type Rules } from "../internal/check-options.ts";
import { withCheckedHeaders } from "../internal/checked-headers.ts";
import { fetchAnswer } from "../internal/foreign-answer.ts";
import { RequestNotSentError } from "../internal/not-sent.ts";
import { parseServerAddress } from "../internal/server-address.ts";
import { loadGrpcWeb } from "../parts.ts";
import { boundedFetch } from "./bounded-fetch.ts";
import type { WebSocketOptions } from "./grpc-web.ts";
import { postLongReads } from "./long-reads.ts";
import { withTimeout } from "./timeout.ts";

export interface FetchTransportOptions extends WebSocketOptions {
  /** Address of the server, such as `https://rollcall.example.com`. */
  baseUrl: string;
  /**
   * Protocol over fetch. Default "connect". Over WebSockets it is gRPC-Web in any case, and "grpc-websockets" makes all
   * calls over them.
   */
  protocol?: "connect" | "grpc-web" | "grpc-websockets" | undefined;
  /** Deadline of unary calls that set none, in milliseconds. 0: none. Default: the server's. */
  timeoutMs?: number | undefined;
  /** Interceptors around every call, outermost first. */
  interceptors?: readonly Interceptor[] | undefined;
  /** Whether messages are sent in the binary format, and not in JSON. Default true. */
  useBinaryFormat?: boolean | undefined;
  /**
   * Whether Connect sends reads as GET, which browsers and proxies can cache, unless their URL would be longer than 4
   * KiB. Default true.
   */
  useHttpGet?: boolean | undefined;
}

const rules: Rules<FetchTransportOptions> = {
  timeoutMs: 0,
  protocol: ["connect", "grpc-web", "grpc-websockets"],
  useBinaryFormat: "boolean",
  useHttpGet: "boolean",
  readMaxBytes: 1,
  maxQueuedBytes: 1,
  connectTimeoutMs: 1,
};

/**
 * Creates a transport for all four kinds of calls. Unary and server-streaming ones go over fetch, unless the protocol
 * is "grpc-websockets". Client-streaming and bidirectional ones, which fetch can't carry, use gRPC-Web over a WebSocket
 * for each call; their code is loaded with the first one.
 *
 * @throws TypeError for a baseUrl that is no address of a server, and for options that are not as their types say.
 */
export function createFetchTransport(options: FetchTransportOptions): Transport {
  checkOptions(options, rules);
  const { protocol = "connect", timeoutMs, useBinaryFormat = true, useHttpGet = true } = options;
  const { interceptors: given = [], readMaxBytes = 4 * 1024 ** 2, maxQueuedBytes, connectTimeoutMs } = options;
  const baseUrl = parseServerAddress(options.baseUrl).href;
  const common = { baseUrl, useBinaryFormat };
  // The innermost interceptors refuse requests that can't be sent as they are, and turn network errors and broken
  // answers into codes.
  const outer = [...given, createWellFormedInterceptor()];
  const overFetch = {
    ...common,
    fetch: boundedFetch(postLongReads(fetchAnswer), readMaxBytes),
    interceptors: [...outer, reportNetworkErrors, createResponseFaultInterceptor()],
  };
  const overSocket = { ...common, interceptors: [...outer, createResponseFaultInterceptor()] };
  const bySocket = createLazyTransport(async () =>
    (await loadGrpcWeb()).createWebSocketTransport(overSocket, { readMaxBytes, maxQueuedBytes, connectTimeoutMs }),
  );
  const byChoice = {
    connect: () => createConnectTransport({ ...overFetch, useHttpGet }),
    "grpc-web": () => createLazyTransport(async () => (await loadGrpcWeb()).createGrpcWebFetchTransport(overFetch)),
    "grpc-websockets": () => bySocket,
  }[protocol]();
  const transport: Transport = {
    unary: byChoice.unary.bind(byChoice),
    stream: (method, ...call) =>
      (method.methodKind === "server_streaming" ? byChoice : bySocket).stream(method, ...call),
  };
  return withTimeout(withCheckedHeaders(transport), timeoutMs);
}

/** Creates a transport whose code is loaded with the first call. */
function createLazyTransport(load: () => Promise<Transport>): Transport {
  let loaded: Transport | undefined;
  const ready = async (signal: AbortSignal | undefined) => {
    loaded ??= await (signal ? abortable(load(), signal) : load());
    return loaded;
  };
  return {
    unary: async (method, signal, ...call) => (await ready(signal)).unary(method, signal, ...call),
    stream: async (method, signal, ...call) => (await ready(signal)).stream(method, signal, ...call),
  };
}

/** Turns a network error of fetch, a TypeError with the browser's own message, into unavailable. */
const reportNetworkErrors: Interceptor = (next) => async (request) => {
  try {
    const response = await next(request);
    if (!response.stream) return response;
    const mapError = (error: unknown) => toUnavailable(error, "the connection was lost");
    return { ...response, message: watchStream(response.message, { mapError }) };
  } catch (error) {
    throw toUnavailable(error, "the server can't be reached, or the connection was lost");
  }
};

function toUnavailable(error: unknown, text: string): unknown {
  const cause = error instanceof ConnectError ? error.cause : error;
  if (!(cause instanceof TypeError)) return error;
  const { code = "", message = "" } = (cause.cause ?? {}) as { code?: string; message?: string };
  if (!NOT_CONNECTED.has(code)) return new ConnectError(text, Code.Unavailable, undefined, undefined, cause);
  const notSent = new RequestNotSentError(`the server can't be reached: ${message || code}`, { cause });
  return new ConnectError(notSent.message, Code.Unavailable, undefined, undefined, notSent);
}

/**
 * Errors of Node's fetch if no connection was made. Browsers do not distinguish a refused connection from one that was
 * lost during a call; there, the request may have reached the server in both cases.
 */
const NOT_CONNECTED: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "UND_ERR_CONNECT_TIMEOUT",
]);
