import {
  type Attributes,
  type Context,
  context,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type TextMapGetter,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import { CompositePropagator, W3CBaggagePropagator, W3CTraceContextPropagator } from "@opentelemetry/core";
import type { CallFacts, CallObserver, Outcome } from "../../rpc/record/call-record.ts";
import type { CallTrace, RequestHeaders, TraceCall } from "../../rpc/record/call-trace.ts";
import {
  ERROR_TYPE,
  isServerFault,
  RPC_METHOD,
  RPC_STATUS_CODE,
  RPC_SYSTEM_NAME,
  statusOf,
  systemOf,
} from "../rpc-names.ts";
import { readTraceParent } from "../traces/trace-parent.ts";

export interface CallSpansOptions {
  tracer: Tracer;
  /** Share of the traces that begin here that is recorded, from 0 to 1. */
  sampleRatio: number;
}

export interface CallSpans {
  readonly traceCall: TraceCall;
  /** Ends the span of a call. */
  readonly observe: CallObserver;
}

const propagator = new CompositePropagator({
  propagators: [new W3CTraceContextPropagator(), new W3CBaggagePropagator()],
});

const headersGetter: TextMapGetter<RequestHeaders> = {
  keys: () => [],
  get: (headers, name) => headers.header(name),
};

/**
 * Records a span for each sampled call: one whose caller records its trace, or one of a share of the calls that begin a
 * trace. This is decided first, so that other calls cost next to nothing.
 */
export function createCallSpans({ tracer, sampleRatio }: CallSpansOptions): CallSpans {
  return {
    traceCall({ method, startedAtMs }, headers) {
      const parent = readTraceParent(headers);
      const isSampled = parent ? parent.isSampled : Math.random() < sampleRatio;
      if (!isSampled && !parent) return undefined;
      const outer = propagator.extract(ROOT_CONTEXT, headers, headersGetter);
      if (!isSampled && parent) return new Trace(parent.traceId, outer);
      const span = tracer.startSpan(method, { kind: SpanKind.SERVER, startTime: startedAtMs }, outer);
      return new Trace(span.spanContext().traceId, trace.setSpan(outer, span), span);
    },
    observe(call, outcome) {
      if (call.trace instanceof Trace) call.trace.end(call, outcome);
    },
  };
}

/** Trace of a call; it has a span if the call is recorded. */
class Trace implements CallTrace {
  readonly traceId: string;
  readonly #context: Context;
  readonly #span: Span | undefined;

  constructor(traceId: string, active: Context, span?: Span) {
    this.traceId = traceId;
    this.#context = active;
    this.#span = span;
  }

  run<T>(work: () => T): T {
    return context.with(this.#context, work);
  }

  end(call: CallFacts, { code, durationMs }: Outcome): void {
    const span = this.#span;
    if (!span) return;
    span.setAttributes(attributesOf(call, code));
    if (isServerFault(code)) span.setStatus({ code: SpanStatusCode.ERROR });
    span.end(call.startedAtMs + durationMs);
  }
}

function attributesOf({ method, protocol, peer, proxy, requestId }: CallFacts, code: Outcome["code"]): Attributes {
  const system = systemOf(protocol);
  const status = statusOf(system, code);
  return {
    [RPC_SYSTEM_NAME]: system,
    [RPC_METHOD]: method,
    [RPC_STATUS_CODE]: status,
    ...(isServerFault(code) && { [ERROR_TYPE]: status }),
    ...addressOf("network.peer", proxy ?? peer),
    // The conventions keep the connection's other end apart from the client behind it.
    ...(proxy !== undefined && addressOf("client", peer)),
    "rollcall.request_id": requestId,
  };
}

/** Returns the attributes of an address such as `192.0.2.1:4711`. A proxy may name a client without a port. */
function addressOf(name: "network.peer" | "client", peer: string): Attributes {
  const [, host, port] = /^\[?([^\]]*?)\]?(?::(\d+))?$/.exec(peer) ?? [];
  return { [`${name}.address`]: host, ...(port !== undefined && { [`${name}.port`]: Number(port) }) };
}
