import { Code, ConnectError } from "@connectrpc/connect";
import { callHook } from "../../internal/call-hook.ts";
import { findNotSent, RequestNotSentError, WAIT_WITHOUT_DEADLINE_MS } from "../../internal/not-sent.ts";
import type { CarriedCall } from "../transport/wire.ts";
import type { PoolSettings } from "./pool-options.ts";

/** A call that waits for a connection. */
export type WaitingCall = Pick<CarriedCall, "signal" | "hasDeadline" | "firstBytes">;

export interface WaitingLineOptions {
  settings: Pick<PoolSettings, "maxWaitingCalls" | "maxWaitingBytes" | "waitTimeoutMs" | "onUnreachable">;
  /** Destinations of the calls. */
  origins: readonly string[];
  /** Returns whether a connection accepts calls, so that they only wait for their turn on it. */
  hasConnection(): boolean;
}

interface Waiter<T> {
  resolve(value: T): void;
  reject(error: unknown): void;
}

/**
 * Calls that wait for a connection, in order: until their deadline, or for 20 s without one. While no connection accepts
 * calls, their number and the bytes of their messages are bounded, so that a server that is down does not fill the memory
 * of its callers.
 */
export class WaitingLine<T> {
  readonly #options: WaitingLineOptions;
  readonly #waiters = new Set<Waiter<T>>();
  #bytes = 0;
  /** Reason why there was no connection the last time. */
  #fault = "";
  #isOutage = false;

  constructor(options: WaitingLineOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#waiters.size;
  }

  /**
   * Waits for {@link serve}.
   *
   * @throws ConnectError caused by a RequestNotSentError: unavailable if too much waits already, or after the time
   * without a deadline; else with the code of the signal's reason.
   */
  wait(call: WaitingCall): Promise<T> {
    const { signal, hasDeadline } = call;
    const { settings, hasConnection } = this.#options;
    const { maxWaitingCalls, maxWaitingBytes } = settings;
    if (this.#waiters.size >= maxWaitingCalls && !hasConnection()) {
      return Promise.reject(this.#tooMuch(`${maxWaitingCalls} calls`));
    }
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    let bytes = 0;
    const settle = (act: () => void) => {
      if (!this.#waiters.delete(waiter)) return;
      this.#bytes -= bytes;
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
      act();
    };
    const waiter: Waiter<T> = {
      resolve: (value) => settle(() => resolve(value)),
      reject: (error) => settle(() => reject(error)),
    };
    const abort = () => waiter.reject(this.ended(signal.reason));
    const timer = this.#startTimer(hasDeadline, waiter);
    this.#waiters.add(waiter);
    signal.addEventListener("abort", abort, { once: true });
    if (signal.aborted) abort();
    const count = (size: number) => {
      if (!this.#waiters.has(waiter)) return;
      bytes = size;
      this.#bytes += size;
      if (this.#bytes > maxWaitingBytes && !hasConnection()) waiter.reject(this.#tooMuch(`${maxWaitingBytes} bytes`));
    };
    const known = call.firstBytes();
    if (typeof known === "number") count(known);
    // If the source fails, it ends the call itself.
    else known.then(count, () => {});
    return promise;
  }

  /** Gives the first waiting call its turn. */
  serve(value: T): void {
    const [waiter] = this.#waiters;
    waiter?.resolve(value);
  }

  /** Notes why there is no connection, for the errors of calls that give up waiting. */
  noteFault(error: unknown): void {
    this.#fault = findNotSent(error)?.message ?? String(error);
  }

  /** Begins a period in which no server can be reached and calls wait. */
  beginOutage(error: unknown): void {
    this.noteFault(error);
    if (!this.#isOutage) callHook(() => this.#options.settings.onUnreachable?.(ConnectError.from(error)));
    this.#isOutage = true;
  }

  /** Ends that period, since a connection was made. */
  endOutage(): void {
    this.#isOutage = false;
  }

  rejectAll(error: unknown): void {
    for (const waiter of this.#waiters) waiter.reject(error);
  }

  #startTimer(hasDeadline: boolean, waiter: Waiter<T>): NodeJS.Timeout | undefined {
    const { settings, hasConnection } = this.#options;
    const timeoutMs = settings.waitTimeoutMs ?? (hasDeadline ? undefined : WAIT_WITHOUT_DEADLINE_MS);
    // With 0, the error of the first attempt to connect ends the wait.
    if (timeoutMs === undefined || timeoutMs === 0) return undefined;
    const timer = setTimeout(() => {
      // Keep waiting: the call will get its turn on a connection, or the first attempt to connect, which has a time
      // limit of its own, is still in progress.
      if (hasConnection() || !this.#isOutage) timer.refresh();
      else waiter.reject(this.#error(`no connection within ${timeoutMs} ms`, Code.Unavailable, false));
    }, timeoutMs);
    return timer;
  }

  #tooMuch(what: string): ConnectError {
    return this.#error(`${what} wait for a connection already`, Code.Unavailable, false);
  }

  /** Returns the error of a call that was ended while it waited, by its deadline or by its caller. */
  ended(reason: unknown): ConnectError {
    const { rawMessage, code } = ConnectError.from(reason, Code.Canceled);
    return this.#error(`${rawMessage} while waiting for a connection`, code, true);
  }

  #error(text: string, code: Code, isTransient: boolean): ConnectError {
    const cause = new RequestNotSentError(`${text}: ${this.#fault || this.#options.origins.join(", ")}`, {
      isTransient,
    });
    return new ConnectError(cause.message, code, undefined, undefined, cause);
  }
}
