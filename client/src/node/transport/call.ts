import type { IncomingHttpHeaders } from "node:http";
import { Code, ConnectError } from "@connectrpc/connect";
import { MAX_TIMER_MS } from "@rollcall/shared/max-timer-ms";
import { deadlineExceeded } from "./faults.ts";
import type { CarriedCall, RequestHead, Wire } from "./wire.ts";

export interface CallStart {
  readonly head: RequestHead;
  /** The caller's signal. */
  readonly signal: AbortSignal | undefined;
  /** Ends the call after so many milliseconds. */
  readonly timeoutMs: number | undefined;
  /** Time that the headers give the server, in milliseconds. */
  readonly serverTimeoutMs: number | undefined;
}

/** Base class of all kinds of calls: runs the deadline, watches the caller's signal, and ends the call once. */
export abstract class ClientCall implements CarriedCall {
  readonly head: RequestHead;
  readonly #deadlineAtMs: number;
  isOver = false;
  protected wire: Wire | undefined;
  readonly #callerSignal: AbortSignal | undefined;
  readonly #onAbort: (() => void) | undefined;
  readonly #timer: NodeJS.Timeout | undefined;
  /** Only created for a call that waits for a connection. */
  #controller: AbortController | undefined;
  #isFinished = false;

  constructor({ head, signal, timeoutMs, serverTimeoutMs }: CallStart) {
    this.head = head;
    this.#deadlineAtMs = serverTimeoutMs === undefined ? Infinity : performance.now() + serverTimeoutMs;
    this.#callerSignal = signal;
    if (timeoutMs !== undefined) this.#timer = setTimeout(endAtDeadline, Math.min(timeoutMs, MAX_TIMER_MS), this);
    if (signal) {
      this.#onAbort = () => this.abort(ConnectError.from(signal.reason, Code.Canceled));
      signal.addEventListener("abort", this.#onAbort);
    }
  }

  abstract readonly isWhole: boolean;
  abstract readonly canReplay: boolean;
  abstract firstBytes(): number | Promise<number>;
  abstract onHead(status: number, headers: IncomingHttpHeaders): void;
  abstract onData(bytes: Buffer): void;
  abstract onEnd(trailers: IncomingHttpHeaders | undefined): void;

  get hasDeadline(): boolean {
    return this.#deadlineAtMs < Infinity;
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    return this.#controller.signal;
  }

  send(wire: Wire): void {
    if (this.isOver) wire.cancel();
    else this.wire = wire;
  }

  onUnsent(): void {
    this.wire = undefined;
  }

  onDrain(): void {}

  onError(error: ConnectError): void {
    this.finish(this.deadlineOr(error));
  }

  /**
   * Returns the error of a call that its server has reset. At the call's deadline, the reset may arrive before the
   * timer fires.
   */
  protected deadlineOr(error: ConnectError): ConnectError {
    const isReset = error.code === Code.Canceled && !this.isOver;
    return isReset && performance.now() >= this.#deadlineAtMs ? deadlineExceeded() : error;
  }

  /** Ends the call immediately, however much of its answer has arrived. */
  abort(error: ConnectError): void {
    if (this.isOver) return;
    this.isOver = true;
    // A call that waits for a connection is ended by its carrier, which knows what the call waited for.
    if (this.#controller && !this.wire) this.#controller.abort(error);
    else this.finish(error);
  }

  /** Ends the call for a fault of its caller's messages, whether or not it waits for a connection. */
  protected failBySource(error: ConnectError): void {
    this.finish(error);
    if (!this.wire) this.#controller?.abort(error);
  }

  /** Ends the call. Only its first end counts. */
  protected finish(error: ConnectError | undefined): void {
    if (this.#isFinished) return;
    this.#isFinished = true;
    this.isOver = true;
    this.stopClock();
    this.wire?.cancel();
    this.settle(error);
  }

  /** Stops the deadline and the caller's signal from ending the call. */
  protected stopClock(): void {
    clearTimeout(this.#timer);
    if (this.#onAbort) this.#callerSignal?.removeEventListener("abort", this.#onAbort);
  }

  /** Reports the outcome to the caller. Called once. */
  protected abstract settle(error: ConnectError | undefined): void;
}

function endAtDeadline(call: ClientCall): void {
  call.abort(deadlineExceeded());
}
