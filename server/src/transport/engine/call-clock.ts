import type { ConnectError } from "@connectrpc/connect";
import { deadlineExceeded, tooLate } from "../../rpc/call-errors.ts";
import type { CallRecord } from "../../rpc/record/call-record.ts";
import type { Abortable } from "./call-options.ts";

/** Call that a clock ends. */
export interface ClockedCall extends Abortable {
  /** Whether the call can't go on before its client sends more. */
  readonly isAwaited: boolean;
}

/**
 * Ends a call in time: at its deadline, and when its body does not come.
 * Its timers are set when it runs, which a call that ends at once does not need.
 */
export class CallClock {
  readonly #call: ClockedCall;
  readonly #record: CallRecord;
  #isRunning = false;
  #deadline: NodeJS.Timeout | undefined;
  #bodyEndsAtMs: number | undefined;
  #body: NodeJS.Timeout | undefined;

  /** @param record Has the deadline. */
  constructor(call: ClockedCall, record: CallRecord) {
    this.#call = call;
    this.#record = record;
  }

  /** Sets the timers. */
  run(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#deadline ??= setTimeout(endAtDeadline, msUntil(this.#record.deadlineAtMs), this.#call);
    this.#runBody();
  }

  /** Bounds the time that the body of a request with one message may take, in milliseconds. */
  boundBody(timeoutMs: number): void {
    const endsAtMs = performance.now() + timeoutMs;
    if (this.#record.deadlineAtMs <= endsAtMs) return;
    this.#bodyEndsAtMs = endsAtMs;
    if (this.#isRunning) this.#runBody();
  }

  #runBody(): void {
    if (this.#bodyEndsAtMs === undefined) return;
    this.#body = setTimeout(failIfLate, msUntil(this.#bodyEndsAtMs), this);
  }

  /** Ends a call whose client is late with the body. One that waits for the server gets the time anew. */
  failIfLate(): void {
    if (this.#call.isAwaited) this.#call.abort(tooLate());
    else this.#body?.refresh();
  }

  /** The body has come. */
  onBody(): void {
    this.#bodyEndsAtMs = undefined;
    clearTimeout(this.#body);
  }

  /** Ends the call at the caller's own end, if that comes before the deadline. */
  boundBy(leftMs: number, reason: () => ConnectError): void {
    if (performance.now() + leftMs >= this.#record.deadlineAtMs) return;
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => this.#call.abort(reason()), Math.max(0, leftMs));
  }

  /** Throws if the deadline has passed, so that no handler starts for a call that is over. */
  throwIfOver(): void {
    // Check the time, since a busy loop runs its timers late.
    if (performance.now() >= this.#record.deadlineAtMs) throw deadlineExceeded();
  }

  stop(): void {
    clearTimeout(this.#deadline);
    clearTimeout(this.#body);
  }
}

/** Returns the time that is left. A call that has waited may be late already, and Node warns of a negative delay. */
function msUntil(atMs: number): number {
  return Math.max(0, atMs - performance.now());
}

function endAtDeadline(call: Abortable): void {
  call.abort(deadlineExceeded());
}

function failIfLate(clock: CallClock): void {
  clock.failIfLate();
}
