import type { ContextValues } from "@connectrpc/connect";
import type { UniversalHandler } from "@connectrpc/connect/protocol";
import { parseTimeout as parseConnectTimeout } from "@connectrpc/connect/protocol-connect";
import { parseTimeout as parseGrpcTimeout } from "@connectrpc/connect/protocol-grpc";
import { watchStream } from "@rollcall/shared/watch-stream";
import { deadlineExceeded } from "../call-errors.ts";
import { callKey } from "../context.ts";
import type { CallRecord } from "../record/call-record.ts";
import { isByteStream } from "./byte-stream.ts";

/** Largest number in a gRPC timeout: eight digits. */
const GRPC_MAX_VALUE = 99_999_999;

export interface DeadlineOptions {
  /** Deadline of a unary call whose client sets none, in milliseconds. */
  defaultTimeoutMs: number;
  /**
   * Deadline of every other call, and the longest that a client may ask for, in milliseconds; at most `MAX_TIMER_MS`.
   */
  maxTimeoutMs: number;
  /** Ends all calls, with its reason, when aborted. */
  shutdownSignal: AbortSignal;
}

/**
 * Creates a stage that ends every call in time, counted from its headers: at its client's deadline, else at the
 * server's. It also ends all calls at shutdown. Code that waits for the call's body gets the error at once, however
 * much of the body is missing.
 *
 * A client that asks for more than `maxTimeoutMs` is served, not refused: some libraries use a very long deadline to
 * mean none. The stage stands inside of `observeCalls`, whose record it needs.
 */
export function createDeadlineStage(options: DeadlineOptions): (handler: UniversalHandler) => UniversalHandler {
  const { defaultTimeoutMs, maxTimeoutMs, shutdownSignal } = options;
  // One listener serves all calls, since removing a listener makes a signal search all of them.
  const calls = new Set<CallRecord>();
  shutdownSignal.addEventListener("abort", () => {
    for (const call of calls) call.abort(shutdownSignal.reason);
  });
  return (handler) => {
    const serverTimeoutMs = handler.method.methodKind === "unary" ? defaultTimeoutMs : maxTimeoutMs;
    const bounded: typeof handler = Object.assign(({ body, ...request }: Parameters<UniversalHandler>[0]) => {
      const call = callOf(request.contextValues);
      const timeoutMs = limitTimeout(request.header, maxTimeoutMs) ?? serverTimeoutMs;
      call.deadlineAtMs = call.startedAtMs + timeoutMs;
      // A call that has waited may be late already, and Node.js warns about a negative delay.
      const leftMs = Math.max(0, call.deadlineAtMs - performance.now());
      const timer = setTimeout(() => call.abort(deadlineExceeded()), leftMs);
      call.onEnd(() => {
        clearTimeout(timer);
        calls.delete(call);
      });
      calls.add(call);
      if (shutdownSignal.aborted) call.abort(shutdownSignal.reason);
      const { signal } = request;
      return handler({ ...request, body: isByteStream(body) ? watchStream(body, { signal }) : body });
    }, handler);
    return bounded;
  };
}

/**
 * Throws the error that a call has ended with, so that nothing more is started for it. Does nothing if the call is not
 * over.
 */
export function throwIfOver(values: ContextValues, signal: AbortSignal): void {
  signal.throwIfAborted();
  // Check the clock, since a busy loop runs its timers late.
  const deadlineAtMs = values.get(callKey)?.deadlineAtMs ?? Number.POSITIVE_INFINITY;
  if (performance.now() >= deadlineAtMs) throw deadlineExceeded();
}

function callOf(values: ContextValues | undefined): CallRecord {
  const call = values?.get(callKey);
  if (!call) throw new Error("a call has to be observed before it gets a deadline");
  return call;
}

/**
 * Returns the client's timeout in milliseconds, limited to `maxTimeoutMs`, and writes that limit to the header. Returns
 * undefined without a valid timeout.
 */
function limitTimeout(header: Headers, maxTimeoutMs: number): number | undefined {
  const isGrpc = /^application\/grpc/i.test(header.get("content-type") ?? "");
  const name = isGrpc ? "grpc-timeout" : "connect-timeout-ms";
  const parse = isGrpc ? parseGrpcTimeout : parseConnectTimeout;
  const { timeoutMs } = parse(header.get(name), Number.POSITIVE_INFINITY);
  if (timeoutMs === undefined || timeoutMs <= maxTimeoutMs) return timeoutMs;
  header.set(name, isGrpc ? toGrpcTimeout(maxTimeoutMs) : String(maxTimeoutMs));
  return maxTimeoutMs;
}

/** Formats a timeout for gRPC over HTTP/2: at most eight digits, and a unit. */
function toGrpcTimeout(timeoutMs: number): string {
  return timeoutMs <= GRPC_MAX_VALUE ? `${timeoutMs}m` : `${Math.floor(timeoutMs / 1_000)}S`;
}
