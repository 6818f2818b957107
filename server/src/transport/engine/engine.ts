import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import type { Admission } from "../../http/admission.ts";
import { guardOf } from "../../http/connection-guard.ts";
import { headerListSize } from "../../http/guard-session.ts";
import type { RequestTimeouts } from "../../http/request-timeouts.ts";
import { startInTurn } from "../../http/start-in-turn.ts";
import { CallRecord } from "../../rpc/record/call-record.ts";
import { requestIdFrom } from "../../rpc/request-id.ts";
import type { DirectChain } from "../../rpc/routes.ts";
import { requestCoding } from "./codings.ts";
import { unaryForms } from "./forms.ts";
import { Http2Wire } from "./http2-wire.ts";
import { UnaryCall } from "./unary-call.ts";

export interface EngineOptions {
  chain: DirectChain;
  /** Lets calls in, as it does those of other carriers. */
  admission: Admission;
  /** Largest header list, in bytes as RFC 9113, 6.5.2, counts them. */
  maxHeaderBytes: number;
  timeouts: RequestTimeouts;
  /** Answers a call that the admission has refused. */
  answerRefused(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, reason: "overloaded" | "expired"): void;
}

export interface Engine {
  /**
   * Serves a stream of HTTP/2 if it is a call that the engine carries.
   *
   * @returns Whether it is.
   */
  takeStream(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, rawHeaders: readonly string[]): boolean;
}

/**
 * Carries calls between Node's core events and their handlers, without requests,
 * responses and iterators between. What it does not know in a request, it leaves to
 * the carrier behind it.
 */
export function createEngine(options: EngineOptions): Engine {
  const { chain, admission, maxHeaderBytes, timeouts, answerRefused } = options;
  const { plans, shutdownSignal } = chain;
  const calls = new Set<UnaryCall>();
  shutdownSignal.addEventListener("abort", () => {
    for (const call of calls) call.abort(shutdownSignal.reason);
  });
  return {
    takeStream(stream, headers, rawHeaders) {
      const plan = plans.get(headers[":path"] ?? "");
      if (plan?.method.methodKind !== "unary" || headers[":method"] !== "POST") return false;
      const form = unaryForms.get(headers["content-type"] ?? "");
      // A page's call needs its origin looked at, and gets headers for its browser.
      if (!form || headers.origin !== undefined) return false;
      const wire = new Http2Wire(stream, headers, rawHeaders);
      const coding = requestCoding(wire.header(form.encodingHeader));
      if (coding === null) return false;
      if (headerListSize(rawHeaders) > maxHeaderBytes) return false;
      const { session } = stream;
      const guard = guardOf(session);
      if (!session || !guard || admission.isFull(session, false)) return false;
      const record = new CallRecord({
        requestId: requestIdFrom(headers["x-request-id"]),
        peer: guard.peer,
        method: plan.name,
        startedAtMs: performance.now(),
        observers: chain.observers,
        logger: chain.logger,
      });
      const call = new UnaryCall({
        chain,
        calls,
        admission,
        timeouts,
        plan,
        form,
        coding,
        wire,
        record,
        guard,
        connection: session,
        answerRefused: (reason) => answerRefused(stream, headers, reason),
      });
      startInTurn(session, () => {
        if (wire.isClosed) return;
        wire.watch(call);
        if (guard.bytes.mayBegin()) admission.enter(call);
        else stream.close(constants.NGHTTP2_REFUSED_STREAM);
      });
      return true;
    },
  };
}
