import { create, type DescMessage, type MessageInitShape, type MessageShape } from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  type Interceptor,
  type StreamRequest,
  type StreamResponse,
  type UnaryRequest,
  type UnaryResponse,
} from "@connectrpc/connect";
import { MAX_TIMER_MS } from "@rollcall/shared/max-timer-ms";
import { deadlineExceeded } from "./faults.ts";

/** Parts of a call that come from its caller, and its interceptors. */
export interface ScopeOptions {
  /** Outermost first. */
  readonly interceptors: readonly Interceptor[];
  readonly signal: AbortSignal | undefined;
  readonly timeoutMs: number | undefined;
}

type AnyRequest = UnaryRequest | StreamRequest;
type AnyResponse = UnaryResponse | StreamResponse;
type Next = (request: AnyRequest) => Promise<AnyResponse>;

/** Reason with which the signal of a successful call is aborted. Created once, since each error gets a stack. */
const CALL_OVER = new DOMException("This operation was aborted", "AbortError");

/**
 * Lifetime of a call with interceptors. Its signal is aborted when the call ends in any way: by its deadline, by its
 * caller, with an error, or successfully.
 */
class CallScope {
  readonly #controller = new AbortController();
  readonly #callerSignal: AbortSignal | undefined;
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #onAbort: (() => void) | undefined;
  isDone = false;

  constructor({ signal, timeoutMs }: ScopeOptions) {
    this.#callerSignal = signal;
    if (timeoutMs !== undefined) this.#timer = setTimeout(endAtDeadline, Math.min(timeoutMs, MAX_TIMER_MS), this);
    if (!signal) return;
    this.#onAbort = () => this.#controller.abort(signal.reason);
    signal.addEventListener("abort", this.#onAbort);
    if (signal.aborted) this.#onAbort();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Notes that the call has succeeded. */
  done(): void {
    if (this.signal.aborted) return;
    this.isDone = true;
    this.#end(CALL_OVER);
  }

  /**
   * Ends the call with an error.
   *
   * @returns The error for the caller. If the call had already ended, it is the reason of that end.
   */
  fail(reason: unknown): ConnectError {
    const { signal } = this;
    const error = signal.aborted ? ConnectError.from(signal.reason, Code.Canceled) : ConnectError.from(reason);
    this.#end(error);
    return error;
  }

  #end(reason: unknown): void {
    clearTimeout(this.#timer);
    if (this.#onAbort) this.#callerSignal?.removeEventListener("abort", this.#onAbort);
    this.#controller.abort(reason);
  }
}

function endAtDeadline(scope: CallScope): void {
  scope.fail(deadlineExceeded());
}

function chain(next: Next, interceptors: readonly Interceptor[]): Next {
  return interceptors.reduceRight((inner, interceptor) => interceptor(inner as never) as Next, next);
}

/** Makes a unary call through interceptors. Does the same as Connect's function of this name, with fewer objects. */
export function runUnaryCall(
  options: ScopeOptions,
  request: Omit<UnaryRequest, "signal">,
  next: (request: UnaryRequest) => Promise<UnaryResponse>,
): Promise<UnaryResponse> {
  const scope = new CallScope(options);
  const message = create(request.method.input, request.message as MessageInitShape<DescMessage>);
  const whole = { ...request, message, signal: scope.signal };
  return chain(
    next as Next,
    options.interceptors,
  )(whole as UnaryRequest).then(
    (response) => {
      scope.done();
      return response as UnaryResponse;
    },
    (reason: unknown) => {
      throw scope.fail(reason);
    },
  );
}

/**
 * Makes any other call through interceptors. When the call has ended in any way, the source of its messages is
 * released, and the interceptors' own streams are read to their ends, so that each of them sees how the call ended.
 */
export async function runStreamingCall(
  options: ScopeOptions,
  request: Omit<StreamRequest, "signal" | "message"> & { message: AsyncIterable<MessageInitShape<DescMessage>> },
  next: (request: StreamRequest) => Promise<StreamResponse>,
): Promise<StreamResponse> {
  const scope = new CallScope(options);
  const { signal } = scope;
  const source = normalize(request.method.input, request.message[Symbol.asyncIterator]());
  const letGo = () => {
    // Not awaited: a source that is stuck in a read may never answer.
    if (!scope.isDone) source.throw?.(ConnectError.from(signal.reason, Code.Canceled)).catch(() => {});
    source.return?.().catch(() => {});
  };
  if (signal.aborted) letGo();
  else signal.addEventListener("abort", letGo);
  const whole = { ...request, message: { [Symbol.asyncIterator]: () => source }, signal };
  try {
    const response = (await chain(next as Next, options.interceptors)(whole as StreamRequest)) as StreamResponse;
    return { ...response, message: new ScopedMessages(scope, response.message[Symbol.asyncIterator]()) };
  } catch (reason) {
    throw scope.fail(reason);
  }
}

/** The messages of an answer, after all interceptors. */
class ScopedMessages<T> implements AsyncIterableIterator<T, undefined> {
  readonly #scope: CallScope;
  readonly #messages: AsyncIterator<T>;
  readonly #drained: Promise<void>;

  constructor(scope: CallScope, messages: AsyncIterator<T>) {
    this.#scope = scope;
    this.#messages = messages;
    const { signal } = scope;
    this.#drained = new Promise((resolve) => {
      const drain = () => resolve(this.#drain());
      if (signal.aborted) drain();
      else signal.addEventListener("abort", drain);
    });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<T, undefined>> {
    if (this.#scope.signal.aborted) return this.#ended();
    return this.#messages.next().then(this.#onResult, this.#onError);
  }

  /** Called when the caller stops reading. */
  async return(): Promise<IteratorResult<T, undefined>> {
    this.#scope.done();
    await this.#drained;
    return { done: true, value: undefined };
  }

  async throw(reason: unknown): Promise<IteratorResult<T, undefined>> {
    const error = this.#scope.isDone ? ConnectError.from(reason) : this.#scope.fail(reason);
    await this.#drained;
    throw error;
  }

  readonly #onResult = (result: IteratorResult<T>): IteratorResult<T, undefined> => {
    if (result.done) this.#scope.done();
    return result as IteratorResult<T, undefined>;
  };

  readonly #onError = (reason: unknown): never => {
    throw this.#scope.fail(reason);
  };

  async #ended(): Promise<IteratorResult<T, undefined>> {
    await this.#drained;
    if (this.#scope.isDone) return { done: true, value: undefined };
    throw this.#scope.fail(undefined);
  }

  async #drain(): Promise<void> {
    try {
      let result = await this.#messages.next();
      while (!result.done) result = await this.#messages.next();
    } catch {
      // Ignore: the call already has its outcome.
    }
  }
}

/** Completes the messages that a caller gives partially. */
function normalize(
  desc: DescMessage,
  source: AsyncIterator<MessageInitShape<DescMessage>>,
): AsyncIterator<MessageShape<DescMessage>> {
  const complete = (result: IteratorResult<MessageInitShape<DescMessage>>) =>
    result.done ? result : { done: false as const, value: create(desc, result.value) };
  return {
    next: () => source.next().then(complete),
    ...(source.return && { return: async (value) => complete((await source.return?.(value)) ?? DONE) }),
    ...(source.throw && { throw: async (error) => complete((await source.throw?.(error)) ?? DONE) }),
  };
}

const DONE = { done: true, value: undefined } as const;
