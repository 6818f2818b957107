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
 * One line a call, a stream's at its end: method, code, duration, request id. Never
 * what is in messages or tokens. A call that failed is a warning, but for one that
 * its own caller canceled.
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
