import type { ConnectError, Interceptor } from "@connectrpc/connect";
import { methodName } from "@rollcall/shared/method-name";
import { callHook } from "../internal/call-hook.ts";
import { observeCall } from "./observe-call.ts";

/** A call that begins. */
export interface TracedCall {
  /** Full name, such as `user.v1.UserService/GetUser`. */
  readonly method: string;
  readonly stream: boolean;
  /** URL of the method. */
  readonly url: string;
  /** Headers of the request, to which `traceparent` can be added. */
  readonly header: Headers;
}

/**
 * Called as each call begins. The returned function is called at the end, with the error if there is one. Errors of
 * either function are dropped, and the call continues. For OpenTelemetry see `createOpenTelemetryHook`.
 */
export type TraceHook = (call: TracedCall) => (error: ConnectError | undefined) => void;

/** Calls the hook for every call; a stream ends with its last message. */
export function createTracingInterceptor(hook: TraceHook): Interceptor {
  return (next) => (request) => {
    const { stream, url, header } = request;
    let end: ReturnType<TraceHook> | undefined;
    callHook(() => {
      end = hook({ method: methodName(request.method), stream, url, header });
    });
    return observeCall(next, request, (error) => end?.(error));
  };
}
