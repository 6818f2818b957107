import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import {
  constants,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from "node:http2";
import { Code, ConnectError } from "@connectrpc/connect";
import type { UniversalHandler } from "@connectrpc/connect/protocol";
import { parseTimeout as parseConnectTimeout } from "@connectrpc/connect/protocol-connect";
import { parseTimeout as parseGrpcTimeout } from "@connectrpc/connect/protocol-grpc";
import type { Logger } from "pino";
import { deadlineExceeded } from "../../rpc/call-errors.ts";
import { retryInfo } from "../../rpc/errors.ts";
import { isHealthCheck } from "../../rpc/health/is-health-check.ts";
import { requestIdFrom } from "../../runtime/request-id.ts";
import { isOverBudget } from "../port/connection-guard.ts";
import type { RefusalCounts } from "../refusals.ts";
import type { Admission, Arrival } from "./admission.ts";
import { noteArrival } from "./arrival-time.ts";
import { createRefusal } from "./refusal.ts";
import { RefusedRequests } from "./refused-requests.ts";
import { pathOf } from "./target.ts";

const RETRY_AFTER_MS = 1_000;
/** Shortest time between two log lines about refused calls. One line for each would be a load of its own. */
const LOG_INTERVAL_MS = 1_000;

/** Errors that calls are refused with, by reason. */
export const refusalErrors = {
  overloaded: new ConnectError("server is overloaded", Code.Unavailable, undefined, [
    retryInfo(RETRY_AFTER_MS / 1_000),
  ]),
  expired: deadlineExceeded(),
};
const refusals = {
  overloaded: createRefusal(refusalErrors.overloaded, RETRY_AFTER_MS),
  expired: createRefusal(refusalErrors.expired),
};

export interface AdmitCallsOptions {
  admission: Admission;
  /** @returns The handler for a request's target. */
  handlerOf(path: string): UniversalHandler | undefined;
  /** Returns headers for a refused call's answer that let pages of an origin read it: names and values in turn. */
  headersFor(origin: string | undefined): readonly string[];
  refusals: RefusalCounts;
  logger: Logger;
}

type Request = IncomingMessage | Http2ServerRequest;
type Response = ServerResponse | Http2ServerResponse;

export interface AdmittedCalls {
  /** Listener that admits calls or refuses them. */
  readonly listener: RequestListener;
  /**
   * If there is no place for a call over HTTP/2, refuses it before Node.js creates a request and a response for its
   * stream. Refusing has to cost far less than serving.
   *
   * @returns Whether the call was refused.
   */
  refuseStream(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): boolean;
  /** Answers a call over HTTP/2 that the admission has refused. */
  answerRefused(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, reason: "overloaded" | "expired"): void;
  /** Answers a call that arrived as a request, and drops the rest of it. */
  answerRefusedRequest(request: Request, response: Response, reason: "overloaded" | "expired"): void;
}

/**
 * Wraps a listener, so that only admitted calls reach it. Admission comes before everything else, including tokens and
 * routing. Requests that are not calls, such as probes, are passed on.
 */
export function admitCalls(handler: RequestListener, options: AdmitCallsOptions): AdmittedCalls {
  const { admission, handlerOf } = options;
  const extraHeaders = (origin: string | undefined) => toRecord(options.headersFor(origin));
  const countRefused = createRefusedLog(options);
  const refused = new RefusedRequests();
  const answerRefused: AdmittedCalls["answerRefused"] = (stream, headers, reason) => {
    if (stream.destroyed) return;
    countRefused(reason);
    // Without a listener an error would end the process. A reset by the client needs no handling here.
    stream.on("error", () => {});
    // The client does not read its answers, so don't write another one.
    if (stream.session && isOverBudget(stream.session)) {
      stream.close(constants.NGHTTP2_REFUSED_STREAM);
      return;
    }
    answerStream(stream, headers, reason, extraHeaders(headers.origin));
    refused.addStream(stream);
  };
  const answerRefusedRequest: AdmittedCalls["answerRefusedRequest"] = (request, response, reason) => {
    countRefused(reason);
    answer(request, response, reason, extraHeaders(request.headers.origin));
    refused.add(request);
  };
  const refuseStream: AdmittedCalls["refuseStream"] = (stream, headers) => {
    const method = handlerOf(headers[":path"] ?? "");
    const { session } = stream;
    if (!method || !session || headers[":method"] === "OPTIONS" || isHealthCheck(method.method)) return false;
    if (admission.hasPlace(session, method.method.methodKind !== "unary")) return false;
    answerRefused(stream, headers, "overloaded");
    return true;
  };
  const listener: RequestListener = (request, response) => {
    const method = handlerOf(request.url ?? "") ?? handlerOf(pathOf(request.url ?? ""));
    if (!method || request.method === "OPTIONS") return handler(request, response);
    noteArrival(request);
    const arrival = new HttpArrival(request, response, {
      isStream: method.method.methodKind !== "unary",
      isCheck: isHealthCheck(method.method),
      start: () => handler(request, response),
      refuse: (reason) => answerRefusedRequest(request, response, reason),
    });
    // The listener is added in time: no part of an answer is sent before this turn of the loop ends.
    if (admission.enter(arrival)) response.once("close", () => admission.leave(arrival));
  };
  return { listener, refuseStream, answerRefused, answerRefusedRequest };
}

interface HttpArrivalOptions {
  isStream: boolean;
  isCheck: boolean;
  start(): void;
  refuse(reason: "overloaded" | "expired"): void;
}

/** A call that arrives as a request of HTTP/1.1 or HTTP/2. */
class HttpArrival implements Arrival {
  readonly #request: Request;
  readonly #response: Response;
  readonly isStream: boolean;
  readonly isCheck: boolean;
  readonly connection: object;
  readonly refuse: HttpArrivalOptions["refuse"];
  readonly #start: () => void;
  #hasStarted = false;

  constructor(request: Request, response: Response, { isStream, isCheck, start, refuse }: HttpArrivalOptions) {
    this.#request = request;
    this.#response = response;
    this.isStream = isStream;
    this.isCheck = isCheck;
    this.connection = ("stream" in request ? request.stream.session : undefined) ?? request.socket;
    this.#start = start;
    this.refuse = refuse;
  }

  start(): void {
    this.#hasStarted = true;
    this.#start();
  }

  timeoutMs(): number | undefined {
    const { headers } = this.#request;
    const first = (name: string) => {
      const value = headers[name];
      return typeof value === "string" ? value : null;
    };
    const grpc = parseGrpcTimeout(first("grpc-timeout"), Number.POSITIVE_INFINITY).timeoutMs;
    return grpc ?? parseConnectTimeout(first("connect-timeout-ms"), Number.POSITIVE_INFINITY).timeoutMs;
  }

  isGone(): boolean {
    return "stream" in this.#request ? this.#request.stream.destroyed : this.#request.socket.destroyed;
  }

  isAnswered(): boolean {
    // A unary answer is complete when its first bytes are sent, however long its reader takes. A stream's answer has
    // only begun then.
    return this.isStream ? this.#response.writableEnded : this.#response.headersSent;
  }

  progress(): "receiving" | "working" | "answered" {
    if (this.isAnswered()) return "answered";
    const request = this.#request;
    const isWhole = "stream" in request ? request.stream.state.remoteClose === 1 : request.complete;
    // A waiting call counts as working: it waits for its turn, and its body is not read yet.
    return isWhole || request.complete || !this.#hasStarted ? "working" : "receiving";
  }

  evict(): void {
    const request = this.#request;
    // REFUSED_STREAM: nothing has been done for the call, and it may be sent again (RFC 9113, 8.7).
    if ("stream" in request) request.stream.close(constants.NGHTTP2_REFUSED_STREAM);
    else request.socket.destroy();
  }
}

/** Writes the answer of a refused call, without reading the rest of its request. */
function answer(
  request: Request,
  response: Response,
  reason: "overloaded" | "expired",
  extraHeaders: Readonly<Record<string, string>>,
): void {
  if ("stream" in request) {
    if (!request.stream.destroyed) answerStream(request.stream, request.headers, reason, extraHeaders);
  } else if ("assignSocket" in response) {
    const { status, headers, body } = refusals[reason](request.headers["content-type"] ?? "");
    const own = { "x-request-id": requestIdFrom(request.headers["x-request-id"]), ...extraHeaders };
    response.writeHead(status, { ...headers, ...own, "content-length": String(body?.byteLength ?? 0) });
    response.end(body ?? "");
  }
}

function answerStream(
  stream: ServerHttp2Stream,
  requestHeaders: IncomingHttpHeaders,
  reason: "overloaded" | "expired",
  extraHeaders: Readonly<Record<string, string>>,
): void {
  const { status, headers, body } = refusals[reason](requestHeaders["content-type"] ?? "");
  const requestId = requestIdFrom(requestHeaders["x-request-id"]);
  stream.respond(
    { ":status": status, ...headers, "x-request-id": requestId, ...extraHeaders },
    { endStream: body === undefined },
  );
  if (body) stream.end(body);
}

function toRecord(headers: readonly string[]): Record<string, string> {
  const record: Record<string, string> = {};
  for (let i = 0; i + 1 < headers.length; i += 2) record[headers[i] ?? ""] = headers[i + 1] ?? "";
  return record;
}

/** Counts refused calls, and logs one line a second for all of them. */
function createRefusedLog({
  admission,
  refusals,
  logger,
}: AdmitCallsOptions): (reason: "overloaded" | "expired") => void {
  let counts: Record<"overloaded" | "expired", number> | undefined;
  return (reason) => {
    refusals.add(reason);
    if (!counts) {
      counts = { overloaded: 0, expired: 0 };
      setTimeout(() => {
        logger.warn({ ...counts, calls: admission.calls, streams: admission.streams }, "calls refused");
        counts = undefined;
      }, LOG_INTERVAL_MS).unref();
    }
    counts[reason] += 1;
  };
}
