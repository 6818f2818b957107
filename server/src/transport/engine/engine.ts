import type { IncomingMessage, ServerResponse } from "node:http";
import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import { TLSSocket } from "node:tls";
import type { ConnectError } from "@connectrpc/connect";
import type { RequestTimeouts } from "../../limits.ts";
import type { DirectChain } from "../../rpc/chain.ts";
import type { MethodPlan } from "../../rpc/method-plan.ts";
import { CallRecord } from "../../rpc/record/call-record.ts";
import { Chain } from "../../runtime/chain.ts";
import { isTurnOver } from "../../runtime/loop-turn.ts";
import { requestIdFrom } from "../../runtime/request-id.ts";
import type { Admission } from "../admission/admission.ts";
import { hasValidHost } from "../fastify/authority.ts";
import type { CrossOrigin } from "../fastify/cross-origin.ts";
import { guardOf } from "../port/connection-guard.ts";
import type { Caller } from "../port/forwarded.ts";
import { headerListSize } from "../port/raw-headers.ts";
import type { Abortable, CallOptions } from "./call-options.ts";
import type { UnaryForm } from "./forms.ts";
import { GetCall } from "./get-call.ts";
import { Http1Wire } from "./http1-wire.ts";
import { Http2Wire } from "./http2-wire.ts";
import { type RefusalForm, RefusedCall } from "./refusal.ts";
import { codingsOf, createRouter, type Route } from "./route.ts";
import { StreamCall } from "./stream-call.ts";
import type { StreamForm } from "./stream-forms.ts";
import { UnaryCall } from "./unary-call.ts";
import type { Wire } from "./wire.ts";

export interface EngineOptions {
  chain: DirectChain;
  /** Admits calls, together with those of other carriers. */
  admission: Admission;
  /** Largest header list, in bytes as RFC 9113, 6.5.2, counts them. */
  maxHeaderBytes: number;
  timeouts: RequestTimeouts;
  crossOrigin: CrossOrigin;
  /** Returns whether the server is closing, so that each HTTP/1.1 connection ends with its next answer. */
  isClosing(): boolean;
  /** Answers a call that the admission has refused. */
  answerRefused(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, reason: "overloaded" | "expired"): void;
  /** Does the same over HTTP/1.1. */
  answerRefusedRequest(request: IncomingMessage, response: ServerResponse, reason: "overloaded" | "expired"): void;
}

/** A call from another carrier, such as a WebSocket. */
export interface FoundCall {
  /** Path of the method. */
  path: string;
  wire: Wire;
  requestId: string;
  /** Time from which the call's clocks run; monotonic, in milliseconds. */
  startedAtMs: number;
  /** Socket of the connection. */
  connection: object;
  caller: Caller;
  /** Refuses the call before its gate. */
  refusal?: ConnectError | undefined;
  /** Called when the call has failed, before its error is sent. */
  onFailure(): void;
}

/** Options of a call that only its carrier knows. */
type CarriedOptions = Pick<
  CallOptions,
  "wire" | "record" | "guard" | "connection" | "refusal" | "answerHeaders" | "answerRefused"
>;

/** A call on the engine. */
export type CarriedCall = UnaryCall | StreamCall | RefusedCall;

export interface Engine {
  /**
   * Serves an HTTP/2 stream if it is a call that the engine carries.
   *
   * @returns Whether it is.
   */
  takeStream(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, rawHeaders: readonly string[]): boolean;
  /** Does the same for an HTTP/1.1 request. */
  takeRequest(request: IncomingMessage, response: ServerResponse): boolean;
  /** Opens a call; its carrier has to start it. Returns undefined if the engine does not carry such calls. */
  openCall(call: FoundCall): CarriedCall | undefined;
}

/**
 * Carries calls between Node's core events and their handlers, without requests, responses and iterators in between.
 * Requests that are not calls of its methods are left to the carrier behind it.
 */
export function createEngine(options: EngineOptions): Engine {
  const { chain, admission, maxHeaderBytes, timeouts, crossOrigin, isClosing } = options;
  const { answerRefused, answerRefusedRequest } = options;
  const { plans, shutdownSignal } = chain;
  const calls = new Chain<Abortable>();
  shutdownSignal.addEventListener("abort", () => {
    for (const call of calls) call.abort(shutdownSignal.reason);
  });
  const routeOf = createRouter(plans);
  const open = (
    plan: MethodPlan,
    requestId: string | string[] | undefined,
    caller: Caller,
    startedAtMs: number,
    wire: Wire,
  ) =>
    new CallRecord({
      requestId: requestIdFrom(requestId),
      peer: caller.peer,
      address: caller.address,
      proxy: caller.proxy,
      method: plan.name,
      startedAtMs,
      trace: chain.traceCall({ method: plan.name, startedAtMs }, wire),
      observers: chain.observers,
      logger: chain.logger,
    });
  /** Begins a call. Lists the options one by one, since V8 takes a slow path if several objects are spread into one. */
  const begin = (route: Route, carried: CarriedOptions): CarriedCall => {
    const { wire, record, guard, connection, answerHeaders, answerRefused } = carried;
    const { plan, form, mediaType, verb, query } = route;
    const { coding, unknownCoding } = codingsOf(route, wire);
    const refusal = carried.refusal ?? route.refusal;
    return openCall({
      chain,
      calls,
      admission,
      timeouts,
      plan,
      form,
      mediaType,
      verb,
      query,
      refusal,
      coding,
      unknownCoding,
      wire,
      record,
      guard,
      connection,
      answerHeaders,
      answerRefused,
    });
  };
  const answerHeaders = (origin: string | undefined, isLast: boolean) => {
    const headers = crossOrigin.headersFor(origin);
    return isLast ? [...headers, "connection", "close"] : headers;
  };
  return {
    takeRequest(request, response) {
      const { headers, socket, method, url, rawHeaders } = request;
      const contentType = headers["content-type"];
      const route = routeOf({ verb: method, target: url, contentType, rawHeaders, isHttp1: true });
      const guard = guardOf(socket);
      if (!route || !guard || headerListSize(rawHeaders) > maxHeaderBytes || !hasValidHost(request)) return false;
      const { origin } = headers;
      const wire = new Http1Wire(request, response, timeouts.bodyTimeoutMs, guard);
      const record = open(route.plan, headers["x-request-id"], guard.callerOf(headers), performance.now(), wire);
      if (origin !== undefined) {
        const isSecure = () => socket instanceof TLSSocket;
        crossOrigin.check({ origin, authority: headers.host, isSecure, requestId: record.requestId });
      }
      const call = begin(route, {
        wire,
        record,
        guard,
        connection: socket,
        answerHeaders: answerHeaders(origin, isClosing()),
        answerRefused: (reason) => answerRefusedRequest(request, response, reason),
      });
      wire.watch(call);
      admission.enter(call);
      return true;
    },
    openCall({ path, wire, requestId, startedAtMs, connection, caller, refusal, onFailure }) {
      const contentType = wire.header("content-type");
      const { rawHeaders } = wire;
      const route = routeOf({ verb: "POST", target: path, contentType, rawHeaders, isHttp1: false });
      const guard = guardOf(connection);
      if (!route || !guard) return undefined;
      const record = open(route.plan, requestId, caller, startedAtMs, wire);
      record.onFailure(onFailure);
      return begin(route, {
        wire,
        record,
        guard,
        connection,
        refusal,
        answerHeaders: [],
        // Not needed: the carrier itself admits and refuses the call.
        answerRefused() {},
      });
    },
    takeStream(stream, headers, rawHeaders) {
      const { ":method": method, ":path": path, "content-type": contentType, origin } = headers;
      const route = routeOf({ verb: method, target: path, contentType, rawHeaders, isHttp1: false });
      const { session } = stream;
      const guard = guardOf(session);
      if (!route || !session || !guard || headerListSize(rawHeaders) > maxHeaderBytes) return false;
      const { method: rpc, isHealthCheck } = route.plan;
      if (!isHealthCheck && !admission.hasPlace(session, rpc.methodKind !== "unary")) return false;
      const wire = new Http2Wire(stream, headers, rawHeaders, guard);
      const record = open(route.plan, headers["x-request-id"], guard.callerOf(headers), performance.now(), wire);
      const { requestId } = record;
      const isSecure = () => session.socket instanceof TLSSocket;
      const authority = headers.host ?? headers[":authority"];
      if (origin !== undefined) crossOrigin.check({ origin, authority, isSecure, requestId });
      const call = begin(route, {
        wire,
        record,
        guard,
        connection: session,
        answerHeaders: answerHeaders(origin, false),
        answerRefused: (reason) => answerRefused(stream, headers, reason),
      });
      wire.watch(call);
      if (guard.bytes.mayBegin()) admission.enter(call, !isTurnOver());
      else stream.close(constants.NGHTTP2_REFUSED_STREAM);
      return true;
    },
  };
}

function openCall(options: CallOptions<UnaryForm | StreamForm | RefusalForm>): CarriedCall {
  const { form, verb } = options;
  if (form.protocol === undefined) return new RefusedCall(options as CallOptions<RefusalForm>);
  if ("begin" in form) return new StreamCall(options as CallOptions<StreamForm>);
  return new (verb === "GET" ? GetCall : UnaryCall)(options as CallOptions<UnaryForm>);
}
