import { Code, type Interceptor } from "@connectrpc/connect";
import { codeToString } from "@connectrpc/connect/protocol-connect";
import { methodName } from "@rollcall/shared/method-name";
import type { Logger } from "../internal/logger.ts";
import { explainDeadline } from "../retry/last-fault.ts";
import { observeCall } from "./observe-call.ts";

export interface LoggingOptions {
  logger: Logger;
}

/**
 * Logs one line a call, at the end of the call or stream: method, code, duration, request id. Never logs contents of
 * messages or tokens. A failed call is a warning, unless its own caller canceled it.
 */
export function createLoggingInterceptor({ logger }: LoggingOptions): Interceptor {
  return (next) => (request) => {
    const startedAtMs = performance.now();
    return observeCall(next, request, (error) => {
      const fields = {
        method: methodName(request.method),
        code: error ? codeToString(error.code) : "ok",
        durationMs: Math.round(performance.now() - startedAtMs),
        requestId: request.header.get("x-request-id") ?? undefined,
      };
      if (error === undefined || error.code === Code.Canceled) logger.info(fields, "call");
      else logger.warn({ ...fields, error: explainDeadline(error, request.contextValues).rawMessage }, "call");
    });
  };
}
