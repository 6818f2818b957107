import type { ConnectError } from "@connectrpc/connect";
import { deadlineExceeded, tooLate } from "../../rpc/call-errors.ts";
import type { CallRecord } from "../../rpc/record/call-record.ts";
import type { Abortable } from "./call-options.ts";

/** Call that a clock can end. */
export interface ClockedCall extends Abortable {
  /** Whether the call can't continue before its client sends more. */
  readonly isAwaited: boolean;
}

/**
 * Ends a call in time: at its deadline, or when its body does not arrive. Its timers are only set when `run` is called,
 * so that a call that ends within its first turn has none.
 */
export class CallClock {
  readonly #call: ClockedCall;
  readonly #record: CallRecord;
  #isRunning = false;
  #deadline: NodeJS.Timeout | undefined;
  #bodyEndsAtMs: number | undefined;
  #body: NodeJS.Timeout | undefined;

  /** @param record Has the call's deadline. */
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

  /**
   * Ends a call whose client is late with the body. If the call waits for the server instead, the time starts again.
   */
  failIfLate(): void {
    if (this.#call.isAwaited) this.#call.abort(tooLate());
    else this.#body?.refresh();
  }

  /** Notes that the body has arrived. */
  onBody(): void {
    this.#bodyEndsAtMs = undefined;
    clearTimeout(this.#body);
  }

  /** Ends the call when the caller's token or certificate ends, if that is before the deadline. */
  boundBy(leftMs: number, reason: () => ConnectError): void {
    if (performance.now() + leftMs >= this.#record.deadlineAtMs) return;
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => this.#call.abort(reason()), Math.max(0, leftMs));
  }

  /** Throws if the deadline has passed, so that no handler starts for a call that is over. */
  throwIfOver(): void {
    // Compare the time, since a busy loop runs its timers late.
    if (performance.now() >= this.#record.deadlineAtMs) throw deadlineExceeded();
  }

  stop(): void {
    clearTimeout(this.#deadline);
    clearTimeout(this.#body);
  }
}

/** Returns the remaining time. A call that has waited may be late already, and Node.js warns about a negative delay. */
function msUntil(atMs: number): number {
  return Math.max(0, atMs - performance.now());
}

function endAtDeadline(call: Abortable): void {
  call.abort(deadlineExceeded());
}

function failIfLate(clock: CallClock): void {
  clock.failIfLate();
}
