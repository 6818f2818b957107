import type { IncomingMessage, ServerResponse } from "node:http";
import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import type { RequestTimeouts } from "../../limits.ts";
import type { DirectChain } from "../../rpc/chain.ts";
import type { MethodPlan } from "../../rpc/method-plan.ts";
import { CallRecord } from "../../rpc/record/call-record.ts";
import { Chain } from "../../runtime/chain.ts";
import { isTurnOver } from "../../runtime/loop-turn.ts";
import { requestIdFrom } from "../../runtime/request-id.ts";
import type { Admission } from "../admission/admission.ts";
import { arrivalOf } from "../admission/arrival-time.ts";
import { hasValidHost } from "../fastify/authority.ts";
import { callBytesOf, guardOf } from "../port/connection-guard.ts";
import { headerListSize } from "../port/guard-session.ts";
import type { Abortable, CallOptions } from "./call.ts";
import { requestCoding } from "./codings.ts";
import { type UnaryForm, unaryForms } from "./forms.ts";
import { Http1Wire } from "./http1-wire.ts";
import { Http2Wire } from "./http2-wire.ts";
import { StreamCall } from "./stream-call.ts";
import { type StreamForm, streamForms } from "./stream-forms.ts";
import { UnaryCall } from "./unary-call.ts";

export interface EngineOptions {
  chain: DirectChain;
  /** Admits calls, together with those of other carriers. */
  admission: Admission;
  /** Largest header list, in bytes as RFC 9113, 6.5.2, counts them. */
  maxHeaderBytes: number;
  timeouts: RequestTimeouts;
  /** Answers a call that the admission has refused. */
  answerRefused(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, reason: "overloaded" | "expired"): void;
}

export interface Engine {
  /**
   * Serves an HTTP/2 stream if it is a call that the engine carries.
   *
   * @returns Whether it is.
   */
  takeStream(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, rawHeaders: readonly string[]): boolean;
  /** Does the same for an HTTP/1.1 request that has been let in. */
  takeRequest(request: IncomingMessage, response: ServerResponse): boolean;
}

/**
 * Carries calls between Node's core events and their handlers, without requests, responses and iterators in between.
 * Leaves requests with anything that it does not know to the carrier behind it.
 */
export function createEngine(options: EngineOptions): Engine {
  const { chain, admission, maxHeaderBytes, timeouts, answerRefused } = options;
  const { plans, shutdownSignal } = chain;
  const calls = new Chain<Abortable>();
  const shared = { chain, calls, admission, timeouts };
  shutdownSignal.addEventListener("abort", () => {
    for (const call of calls) call.abort(shutdownSignal.reason);
  });
  /** Returns the method and form that a call's path and content type stand for, if the engine carries such calls. */
  const find = (path: string | undefined, method: string | undefined, contentType: string | undefined) => {
    const plan = plans.get(path ?? "");
    if (!plan || method !== "POST") return undefined;
    const isStream = plan.method.methodKind !== "unary";
    const form = isStream ? streamForms.get(contentType ?? "") : unaryForms.get(contentType ?? "");
    return form && { plan, form, isStream };
  };
  const open = (plan: MethodPlan, requestId: string | string[] | undefined, peer: string, startedAtMs: number) =>
    new CallRecord({
      requestId: requestIdFrom(requestId),
      peer,
      method: plan.name,
      startedAtMs,
      observers: chain.observers,
      logger: chain.logger,
    });
  return {
    takeRequest(request, response) {
      const { headers, socket } = request;
      const found = find(request.url, request.method, headers["content-type"]);
      // A page's call needs a check of its origin, and headers for its browser.
      if (!found || found.isStream || found.form.protocol === "grpc") return false;
      if (headers.origin !== undefined || !hasValidHost(request)) return false;
      const { plan, form } = found;
      const wire = new Http1Wire(request, response, timeouts.bodyTimeoutMs);
      const coding = requestCoding(wire.header(form.encodingHeader));
      const guard = guardOf(socket);
      if (coding === null || !guard) return false;
      const record = open(plan, headers["x-request-id"], guard.peer, arrivalOf(request));
      const call = openCall({
        ...shared,
        ...found,
        ...{ coding, wire, record, guard, connection: socket },
        bytes: callBytesOf(request),
        // It has been let in.
        answerRefused() {},
      });
      wire.watch(call);
      call.start();
      return true;
    },
    takeStream(stream, headers, rawHeaders) {
      const found = find(headers[":path"], headers[":method"], headers["content-type"]);
      if (!found || headers.origin !== undefined) return false;
      const { plan, form, isStream } = found;
      const coding = requestCoding(headers[form.encodingHeader]);
      if (coding === null || headerListSize(rawHeaders) > maxHeaderBytes) return false;
      const { session } = stream;
      const guard = guardOf(session);
      if (!session || !guard || !admission.hasPlace(session, isStream)) return false;
      const wire = new Http2Wire(stream, headers, rawHeaders, guard);
      const record = open(plan, headers["x-request-id"], guard.peer, performance.now());
      const call = openCall({
        ...shared,
        ...found,
        ...{ coding, wire, record, guard, connection: session },
        answerRefused: (reason) => answerRefused(stream, headers, reason),
      });
      wire.watch(call);
      if (guard.bytes.mayBegin()) admission.enter(call, !isTurnOver());
      else stream.close(constants.NGHTTP2_REFUSED_STREAM);
      return true;
    },
  };
}

function openCall(options: CallOptions<UnaryForm | StreamForm>): UnaryCall | StreamCall {
  return isOfStream(options) ? new StreamCall(options) : new UnaryCall(options as CallOptions<UnaryForm>);
}

function isOfStream(options: CallOptions<UnaryForm | StreamForm>): options is CallOptions<StreamForm> {
  return "endFlag" in options.form;
}
