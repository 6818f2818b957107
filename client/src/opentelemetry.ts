import { codeToString } from "@connectrpc/connect/protocol-connect";
import {
  type Attributes,
  context,
  isSpanContextValid,
  type Meter,
  metrics,
  propagation,
  type Span,
  SpanKind,
  SpanStatusCode,
  type TextMapSetter,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import { rpcStatus } from "@rollcall/shared/rpc-status";
import type { TracedCall, TraceHook } from "./interceptors/tracing.ts";

const NAME = "@rollcall/client";
/** Bounds that the conventions recommend for durations of calls, in seconds. */
const DURATION_BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];

export interface OpenTelemetryOptions {
  /** Default: of the global provider. */
  tracer?: Tracer | undefined;
  /** Default: of the global provider. */
  meter?: Meter | undefined;
}

const headersSetter: TextMapSetter<Headers> = {
  set: (headers, name, value) => headers.set(name, value),
};

/**
 * Creates a hook that records each call by OpenTelemetry's conventions for RPC: a span within the active one, whose
 * context is sent to the server (`traceparent`), and the call's duration (`rpc.client.call.duration`). A call and its
 * repetitions count as one.
 */
export function createOpenTelemetryHook({
  tracer = trace.getTracer(NAME),
  meter = metrics.getMeter(NAME),
}: OpenTelemetryOptions = {}): TraceHook {
  const durations = meter.createHistogram("rpc.client.call.duration", {
    unit: "s",
    description: "Time from the beginning of a call to its end; of a stream, its life",
    advice: { explicitBucketBoundaries: DURATION_BOUNDS },
  });
  return (call) => {
    const startedAtMs = performance.now();
    const { system, attributes } = describe(call);
    const span = tracer.startSpan(call.method, { kind: SpanKind.CLIENT, attributes });
    send(span, call.header);
    return (error) => {
      const status = rpcStatus(system, error ? codeToString(error.code) : "ok");
      const outcome = { "rpc.status_code": status, ...(error && { "error.type": status }) };
      durations.record((performance.now() - startedAtMs) / 1_000, { ...attributes, ...outcome });
      span.setAttributes(outcome);
      if (error) span.setStatus({ code: SpanStatusCode.ERROR });
      span.end();
    };
  };
}

function describe({ method, url, header }: TracedCall): { system: string; attributes: Attributes } {
  const system = header.get("content-type")?.startsWith("application/grpc") ? "grpc" : "connectrpc";
  const { hostname, port, protocol } = new URL(url);
  const attributes = {
    "rpc.system.name": system,
    "rpc.method": method,
    "server.address": hostname.replace(/^\[(.*)\]$/, "$1"),
    "server.port": Number(port) || (protocol === "https:" ? 443 : 80),
  };
  return { system, attributes };
}

/** Sends the span's context with the call. */
function send(span: Span, header: Headers): void {
  propagation.inject(trace.setSpan(context.active(), span), header, headersSetter);
  // If the application has no propagator, the context is sent in the form of W3C Trace Context.
  const spanContext = span.spanContext();
  if (propagation.fields().length > 0 || !isSpanContextValid(spanContext)) return;
  const { traceId, spanId, traceFlags, traceState } = spanContext;
  header.set("traceparent", `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, "0")}`);
  const state = traceState?.serialize();
  if (state) header.set("tracestate", state);
}
