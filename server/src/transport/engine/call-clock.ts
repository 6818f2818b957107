import type { ConnectError } from "@connectrpc/connect";
import type { CallRecord } from "../../rpc/record/call-record.ts";
import { deadlineExceeded, tooLate } from "./call-errors.ts";
import type { Abortable } from "./call-options.ts";

/** Ends a call in time: at its deadline, and when its body does not come. */
export class CallClock {
  readonly #call: Abortable;
  readonly #record: CallRecord;
  #deadline: NodeJS.Timeout | undefined;
  #body: NodeJS.Timeout | undefined;

  /** @param record Has the deadline. */
  constructor(call: Abortable, record: CallRecord) {
    this.#call = call;
    this.#record = record;
    // A call that has waited may be late already, and Node warns of a negative delay.
    const leftMs = Math.max(0, record.deadlineAtMs - performance.now());
    this.#deadline = setTimeout(endAtDeadline, leftMs, call);
  }

  /** Bounds the time that the body of a request with one message may take, in milliseconds. */
  boundBody(timeoutMs: number): void {
    if (this.#record.deadlineAtMs - performance.now() <= timeoutMs) return;
    this.#body = setTimeout(failLate, timeoutMs, this.#call);
  }

  /** The body has come. */
  onBody(): void {
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

function endAtDeadline(call: Abortable): void {
  call.abort(deadlineExceeded());
}

function failLate(call: Abortable): void {
  call.abort(tooLate());
}
