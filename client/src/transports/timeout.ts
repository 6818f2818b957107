import { Code, ConnectError, createContextValues, type Transport } from "@connectrpc/connect";
import { explainDeadline } from "../retry/last-fault.ts";

/** Longest deadline, almost 28 hours: gRPC's header has eight digits, and Connect writes milliseconds. */
export const MAX_TIMEOUT_MS = 99_999_999;

/**
 * Wraps a transport to give unary calls a deadline; streams may last. Limits each deadline to the longest that can be
 * sent. When a deadline ends a call, the error says what the call was waiting for.
 *
 * @param defaultTimeoutMs Deadline of unary calls that set none. Default: the server's.
 */
export function withTimeout(transport: Transport, defaultTimeoutMs: number | undefined): Transport {
  return {
    async unary(method, signal, timeoutMs = defaultTimeoutMs, header, message, values = createContextValues()) {
      try {
        return await transport.unary(method, signal, boundTimeout(timeoutMs), header, message, values);
      } catch (error) {
        throw explainDeadline(error, values);
      }
    },
    async stream(method, signal, timeoutMs, header, messages, values = createContextValues()) {
      try {
        return await transport.stream(method, signal, boundTimeout(timeoutMs), header, messages, values);
      } catch (error) {
        throw explainDeadline(error, values);
      }
    },
  };
}

/**
 * Limits a deadline to the longest one that can be sent.
 *
 * @throws ConnectError invalid_argument for NaN.
 */
export function boundTimeout(timeoutMs: number | undefined): number | undefined {
  if (Number.isNaN(timeoutMs))
    throw new ConnectError("timeoutMs must be a number, but it is NaN", Code.InvalidArgument);
  return timeoutMs && Math.min(timeoutMs, MAX_TIMEOUT_MS);
}
