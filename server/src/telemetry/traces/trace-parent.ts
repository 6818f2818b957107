import type { CallTrace, RequestHeaders, TraceCall } from "../../rpc/record/call-trace.ts";

/** A caller's place in a trace (W3C Trace Context). */
export interface TraceParent {
  readonly traceId: string;
  /** Whether the caller records the trace. */
  readonly isSampled: boolean;
}

/** Version, trace id, parent id and flags (W3C Trace Context, 3.2). Future versions may append more. */
const TRACEPARENT = /^(?!ff)([\da-f]{2})-(?!0{32})([\da-f]{32})-(?!0{16})[\da-f]{16}-([\da-f]{2})(-.*)?$/;

/** Reads a `traceparent`. Returns undefined if it is missing or malformed: a new trace then begins. */
export function readTraceParent(headers: RequestHeaders): TraceParent | undefined {
  const text = headers.header("traceparent");
  if (text === undefined) return undefined;
  const [, version, traceId = "", flags = "", rest] = TRACEPARENT.exec(text) ?? [];
  if (version === undefined || (version === "00" && rest !== undefined)) return undefined;
  return { traceId, isSampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

/** Writes a `traceparent` for requests that a span makes to others. Ids are hexadecimal, flags a byte. */
export function writeTraceParent(traceId: string, spanId: string, flags: number): string {
  return `00-${traceId}-${spanId}-${flags.toString(16).padStart(2, "0")}`;
}

/** Keeps the id of the caller's trace for the log, without recording anything. */
export const keepTraceId: TraceCall = (_call, headers) => {
  const parent = readTraceParent(headers);
  return parent && new KeptTrace(parent.traceId);
};

class KeptTrace implements CallTrace {
  readonly traceId: string;

  constructor(traceId: string) {
    this.traceId = traceId;
  }

  run<T>(work: () => T): T {
    return work();
  }
}
