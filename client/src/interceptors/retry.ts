import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type Interceptor, type UnaryRequest, type UnaryResponse } from "@connectrpc/connect";
import { createLinkedAbortController } from "@connectrpc/connect/protocol";
import { delay } from "../delay.ts";
import { findNotSent } from "../not-sent.ts";
import { delayAfter, isTransient, RetryBudget, type RetryOptions } from "../retry/policy.ts";
import { tell } from "../tell.ts";
import { methodName } from "./observe-call.ts";

/**
 * Repeats a unary call that failed for a while (unavailable, resource_exhausted
 * with RetryInfo, or an attempt's own deadline) where that is safe: the method has NO_SIDE_EFFECTS, the
 * request carries a `request_id`, or no server has acted on it. Never beyond the
 * call's deadline, and not while more calls fail than the budget allows. Streams
 * are not repeated.
 */
export function createRetryInterceptor(options: RetryOptions = {}): Interceptor {
  const { maxAttempts = 4, onRetry } = options;
  const budget = new RetryBudget(options.budget);
  return (next) => async (request) => {
    if (request.stream) return next(request);
    const deadline = deadlineOf(request.header);
    const attemptOnce = (attemptRequest: UnaryRequest) => next(attemptRequest) as Promise<UnaryResponse>;
    for (let attempt = 1; ; attempt++) {
      try {
        const response = await makeAttempt(attemptOnce, request, deadline, options.attemptTimeoutMs);
        budget.succeeded();
        return response;
      } catch (reason) {
        const error = ConnectError.from(reason);
        if (request.signal.aborted || !isTransient(error)) throw error;
        budget.failed();
        if (attempt >= maxAttempts || !budget.allowsRetry || !isSafeToRepeat(request, error)) throw error;
        const delayMs = delayAfter(error, attempt, options);
        if (deadline !== undefined && delayMs >= deadline.remainingMs()) throw error;
        tell(() => onRetry?.({ method: methodName(request), attempt, delayMs, error }));
        await delay(delayMs, request.signal);
      }
    }
  };
}

function isSafeToRepeat({ method, message }: UnaryRequest, error: ConnectError): boolean {
  if (method.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS) return true;
  if ("requestId" in message && message.requestId !== "") return true;
  return findNotSent(error) !== undefined;
}

/** An attempt has its own header, deadline and signal: none of it reaches the next attempt. */
async function makeAttempt(
  next: (request: UnaryRequest) => Promise<UnaryResponse>,
  request: UnaryRequest,
  deadline: Deadline | undefined,
  attemptTimeoutMs: number | undefined,
): Promise<UnaryResponse> {
  const header = new Headers(request.header);
  const remainingMs = deadline?.remainingMs();
  if (attemptTimeoutMs === undefined || (remainingMs !== undefined && remainingMs <= attemptTimeoutMs)) {
    if (deadline && remainingMs !== undefined) deadline.write(header, remainingMs);
    return next({ ...request, header });
  }
  deadline?.write(header, attemptTimeoutMs);
  const controller = createLinkedAbortController(request.signal);
  const timeout = new ConnectError("the attempt timed out", Code.DeadlineExceeded);
  const timer = setTimeout(() => controller.abort(timeout), attemptTimeoutMs);
  try {
    return await next({ ...request, header, signal: controller.signal });
  } catch (error) {
    // Not every transport hands on why its signal was aborted.
    throw controller.signal.reason === timeout ? timeout : error;
  } finally {
    clearTimeout(timer);
    // Lets go of the call's signal.
    controller.abort();
  }
}

interface Deadline {
  remainingMs(): number;
  write(header: Headers, timeoutMs: number): void;
}

/** The call's deadline, as its protocol's header says. */
function deadlineOf(header: Headers): Deadline | undefined {
  const name = header.has("grpc-timeout") ? "grpc-timeout" : "connect-timeout-ms";
  const unit = name === "grpc-timeout" ? "m" : "";
  const timeoutMs = Number.parseInt(header.get(name) ?? "", 10);
  if (Number.isNaN(timeoutMs)) return undefined;
  const endsAtMs = performance.now() + timeoutMs;
  return {
    remainingMs: () => Math.max(1, Math.floor(endsAtMs - performance.now())),
    write: (target, ms) => target.set(name, `${Math.ceil(ms)}${unit}`),
  };
}
