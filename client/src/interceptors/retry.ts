import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type Interceptor, type UnaryRequest, type UnaryResponse } from "@connectrpc/connect";
import { createLinkedAbortController } from "@connectrpc/connect/protocol";
import { MAX_TIMER_MS } from "@rollcall/shared/max-timer-ms";
import { methodName } from "@rollcall/shared/method-name";
import { callHook } from "../internal/call-hook.ts";
import { delay } from "../internal/delay.ts";
import { findConnectionLost, findNotSent, WAIT_WITHOUT_DEADLINE_MS, withoutCause } from "../internal/not-sent.ts";
import { lastFaultKey, spentMsKey } from "../retry/last-fault.ts";
import { checkRetry, delayAfter, isTransient, RetryBudget, type RetryOptions } from "../retry/policy.ts";

/** Least time that a deadline must leave for repeating a call that was not sent or was lost, in milliseconds. */
const LAST_TRY_MS = 50;

/**
 * Repeats unary calls that failed with a temporary error: unavailable, resource_exhausted if the server says when to
 * try again, or the end of an attempt's own deadline. Streams are not repeated.
 *
 * A call that may have reached a server is repeated only if that is safe: the method has NO_SIDE_EFFECTS, or the
 * request carries a `request_id`. Each repetition counts towards `maxAttempts`. Nothing is repeated while more calls
 * fail than the budget allows.
 *
 * Two kinds of failures do not count as attempts. They are repeated until the call's deadline, or for 20 s without one:
 * - The server has not acted on the call (a RequestNotSentError). This takes nothing from the budget either, as in gRPC
 *   (gRFC A6, transparent retries), and waits for the backoff.
 * - The call was lost with its connection, and is safe to repeat. It is repeated immediately, since the pool gives new
 *   connections few calls until some are answered. Over HTTP/1.1, a loss before any complete answer takes one token
 *   for all its calls, and each waits for the backoff.
 *
 * @throws TypeError for options that are not as their types say.
 */
export function createRetryInterceptor(options: RetryOptions = {}): Interceptor {
  checkRetry(options);
  return retryWithin(new RetryBudget(options.budget), options);
}

/**
 * Does the same as {@link createRetryInterceptor}, with a budget that is shared.
 *
 * @param closing Ends the waits for a next attempt.
 */
export function retryWithin(budget: RetryBudget, options: RetryOptions, closing?: AbortSignal): Interceptor {
  const { maxAttempts = 4, onRetry } = options;
  return (next) => async (request) => {
    if (request.stream) {
      return next(request).catch((error: unknown) => {
        request.contextValues.set(lastFaultKey, findNotSent(error) && ConnectError.from(error));
        throw error;
      });
    }
    const deadline = deadlineOf(request.header);
    const { remainingMs } = deadline ?? endsIn(WAIT_WITHOUT_DEADLINE_MS - request.contextValues.get(spentMsKey));
    const attemptOnce = (attemptRequest: UnaryRequest) => next(attemptRequest) as Promise<UnaryResponse>;
    /** Whether an attempt may have reached a server. */
    let isSent = false;
    /** Number of these attempts, except those that were lost with their connection. */
    let failedCount = 0;
    let waitCount = 0;
    for (let attempt = 1; ; attempt++) {
      try {
        const response = await makeAttempt(attemptOnce, request, deadline, options.attemptTimeoutMs);
        budget.succeeded();
        return response;
      } catch (reason) {
        const failure = ConnectError.from(reason);
        const isNotSent = findNotSent(failure) !== undefined;
        // An earlier attempt was sent, so the error must not say that no server has acted on the call.
        const error = isNotSent && isSent ? withoutCause(failure) : failure;
        request.contextValues.set(lastFaultKey, isNotSent || !request.signal.aborted ? error : undefined);
        if (request.signal.aborted || !isTransient(failure)) throw error;
        const loss = findConnectionLost(failure);
        if (!isNotSent) {
          isSent = true;
          if (!loss) failedCount += 1;
          budget.failed(error);
          if (failedCount >= maxAttempts || !budget.allowsRetry || !isSafeToRepeat(request)) throw error;
        }
        let delayMs = loss?.isPaced ? 0 : delayAfter(error, ++waitCount, options);
        if (isNotSent || loss) {
          const leftMs = remainingMs();
          if (maxAttempts <= 1 || leftMs < LAST_TRY_MS) throw error;
          delayMs = Math.min(delayMs, leftMs / 2);
        } else if (deadline !== undefined && delayMs >= remainingMs()) {
          throw error;
        }
        callHook(() => onRetry?.({ method: methodName(request.method), attempt, delayMs, error }));
        await delay(delayMs, request.signal, closing);
      }
    }
  };
}

function isSafeToRepeat({ method, message }: UnaryRequest): boolean {
  if (method.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS) return true;
  return "requestId" in message && message.requestId !== "";
}

/** Makes one attempt, with its own header, deadline and signal. They do not affect the next attempt. */
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
  const timer = setTimeout(() => controller.abort(timeout), Math.min(attemptTimeoutMs, MAX_TIMER_MS));
  try {
    return await next({ ...request, header, signal: controller.signal });
  } catch (error) {
    // Not every transport passes on the reason of an abort. But an error that says that nothing was sent is kept.
    throw controller.signal.reason === timeout && !findNotSent(error) ? timeout : error;
  } finally {
    clearTimeout(timer);
    // Removes the controller's listener from the call's signal.
    controller.abort();
  }
}

interface Deadline {
  remainingMs(): number;
  write(header: Headers, timeoutMs: number): void;
}

/** Reads the call's deadline from its protocol's header. */
function deadlineOf(header: Headers): Deadline | undefined {
  const name = header.has("grpc-timeout") ? "grpc-timeout" : "connect-timeout-ms";
  const unit = name === "grpc-timeout" ? "m" : "";
  const timeoutMs = Number.parseInt(header.get(name) ?? "", 10);
  if (Number.isNaN(timeoutMs)) return undefined;
  return {
    ...endsIn(timeoutMs),
    write: (target, ms) => target.set(name, `${Math.ceil(ms)}${unit}`),
  };
}

function endsIn(timeoutMs: number): Pick<Deadline, "remainingMs"> {
  const endsAtMs = performance.now() + timeoutMs;
  return { remainingMs: () => Math.max(1, Math.floor(endsAtMs - performance.now())) };
}
