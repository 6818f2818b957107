import { ConnectError } from "@connectrpc/connect";
import type { Principal } from "../../domain/principal.ts";
import { canceled } from "../../rpc/call-errors.ts";
import { acceptedEncodings } from "../../rpc/stages/compression.ts";
import { unknownCoding as unknownCodingError } from "../../rpc/stages/content-coding.ts";
import { assertEnveloped } from "../../rpc/stages/plain-json.ts";
import type { Link } from "../../runtime/chain.ts";
import type { CallBytes } from "../port/call-bytes.ts";
import { countHeaders } from "../port/raw-headers.ts";
import { AdmittedCall } from "./admitted-call.ts";
import { type AfterTurn, lookAfterTurn } from "./after-turn.ts";
import { CallClock } from "./call-clock.ts";
import type { Abortable } from "./call-options.ts";
import { CallContext } from "./context.ts";
import type { CallForm } from "./forms.ts";
import type { BodyReceiver } from "./wire.ts";

/** Length below which an answer is usually sent immediately. It is only counted if it is not. In bytes. */
const SHORT_ANSWER_BYTES = 4 * 1_024;

/** Base of calls of all kinds: runs the clock and the gate, counts held bytes, and ends the call once. */
export abstract class Call<Form extends CallForm>
  extends AdmittedCall<Form>
  implements BodyReceiver, Abortable, AfterTurn
{
  protected context: CallContext | undefined;
  protected clock: CallClock | undefined;
  #link: Link<Abortable> | undefined;
  #timeoutMs: number | undefined;
  #willLook = false;
  #hasLooked = false;
  #bytes: CallBytes | undefined;
  #inLine: ((work: () => Promise<Uint8Array>) => Promise<Uint8Array>) | undefined;
  #hasStarted = false;

  /** Begins the call: its clock, then the gate. */
  start(): void {
    const { chain, calls, form, wire, plan, record, guard, refusal } = this.options;
    this.#hasStarted = true;
    guard.bytes.uncountedCalls += 1;
    record.protocol = form.protocol;
    this.#link = calls.add(this);
    try {
      const { timeoutMs, error } = form.parseTimeout(wire);
      this.#timeoutMs = timeoutMs === undefined ? undefined : Math.min(timeoutMs, chain.maxTimeoutMs);
      record.deadlineAtMs = record.startedAtMs + (this.#timeoutMs ?? plan.defaultTimeoutMs);
      this.clock = new CallClock(this, record);
      // Most calls have their answer before the turn is over, and need no timer.
      this.#lookLater();
      if (chain.shutdownSignal.aborted) throw chain.shutdownSignal.reason;
      if (refusal) throw refusal;
      const principal = chain.gate({
        method: plan.method,
        requestId: record.requestId,
        authorization: wire.header("authorization"),
        authorizationCount: countHeaders(wire.rawHeaders, "authorization"),
        address: record.address,
        record,
        isStream: this.isStream,
        certificate: guard.certificate,
      });
      if (principal instanceof Promise) {
        principal.then(
          (known) => this.#admit(known, error),
          (reason: unknown) => this.failInProtocol(reason),
        );
      } else this.#admit(principal, error);
    } catch (error) {
      this.failInProtocol(error);
    }
  }

  /** Sets the timers of a call that is still open. Bounds a short answer that has not been sent meanwhile. */
  afterTurn(): void {
    this.#willLook = false;
    const { wire } = this.options;
    if (!this.isDone) this.clock?.run();
    else if (!wire.isClosed && wire.unsentBytes > 0) {
      // Node.js writes at the end of the turn, and reports that in the next one.
      if (this.#hasLooked) this.boundAnswer();
      else this.#lookLater();
      this.#hasLooked = true;
    }
  }

  #lookLater(): void {
    if (this.#willLook) return;
    this.#willLook = true;
    lookAfterTurn(this);
  }

  /** Ends the call with an error, whatever it waits for. */
  abort(error: ConnectError): void {
    this.options.record.abort(error);
    this.failInProtocol(error);
  }

  #admit(principal: Principal | undefined, timeoutError: ConnectError | undefined): void {
    if (this.isDone) return;
    const { guard, record, chain, plan } = this.options;
    try {
      if (plan.isBounded) chain.openStreams.enter(record);
      this.checkRequest();
      if (principal || chain.isOpen) guard.admit();
      if (timeoutError) throw timeoutError;
    } catch (error) {
      this.failInProtocol(error);
      return;
    }
    const waiting = guard.bytes.isQuiet ? undefined : this.count().hold(0);
    const begin = () => {
      if (this.isDone) return;
      this.hasBegun = true;
      this.begin();
    };
    if (waiting) waiting.then(begin);
    else begin();
  }

  /** Whether the call can't continue before its client sends more. */
  get isAwaited(): boolean {
    return this.hasBegun && !this.isReceived && !this.#bytes?.isWaiting;
  }

  /** Makes the gate's other checks, apart from the caller. @throws ConnectError */
  protected checkRequest(): void {
    const { form, unknownCoding } = this.options;
    if (unknownCoding === undefined) return;
    this.makeContext().responseHeader.set(form.acceptHeader, acceptedEncodings);
    throw unknownCodingError(unknownCoding);
  }

  /** Begins to read a request that the gate has let in. */
  protected abstract begin(): void;

  /** Notes that more of the request has arrived. */
  protected moved(): void {
    this.#bytes?.moved();
  }

  abstract onData(bytes: Uint8Array): void;

  /** Returns whether a body of envelopes begins as it should. If it begins like plain JSON instead, the call fails. */
  protected beginsEnveloped(bytes: Uint8Array): boolean {
    try {
      assertEnveloped(bytes[0], this.options.mediaType, !this.isStream);
      return true;
    } catch (error) {
      this.failInProtocol(error);
      return false;
    }
  }

  onEnd(error?: ConnectError): void {
    if (this.isDone) return;
    this.isReceived = true;
    this.clock?.onBody();
    this.onReceived(error);
  }

  /** Called when the request is complete, or was broken off with an error. */
  protected abstract onReceived(error: ConnectError | undefined): void;

  onDrain(): void {}

  onClose(): void {
    this.options.admission.leave(this);
    this.#bytes?.close();
    if (!this.isDone && this.#hasStarted) this.#endGone();
  }

  #endGone(): void {
    const { record } = this.options;
    const gone = canceled();
    record.abort(gone);
    this.#finish(gone);
    record.end(undefined, false);
  }

  /**
   * Ends the call if its client has gone, without waiting for the wire's own report. Returns whether the call is over.
   */
  protected isOver(): boolean {
    const { wire } = this.options;
    if (!this.isDone && wire.isClosed) {
      this.#endGone();
      if (!this.isReceived) wire.dropRest();
    }
    return this.isDone;
  }

  /** Returns the counter of the bytes that the call holds; creates it when it is first needed. */
  protected count(): CallBytes {
    if (this.#bytes) return this.#bytes;
    const { guard, wire } = this.options;
    this.#bytes = guard.bytes.open({
      queuedBytes: () => this.queuedBytes + wire.queuedBytes,
      unsentBytes: () => wire.unsentBytes,
      end: () => wire.cutOff(),
    });
    this.#bytes.reader = this;
    if (this.#hasStarted && !this.isDone) guard.bytes.uncountedCalls -= 1;
    return this.#bytes;
  }

  /** Bytes in the call's own queues. */
  protected get queuedBytes(): number {
    return 0;
  }

  /** Inflates or deflates when it is the call's turn. */
  protected inTurn(work: () => Promise<Uint8Array>): Promise<Uint8Array> {
    const { chain, record } = this.options;
    this.#inLine ??= chain.codingLine.open({ signal: record.signal, contextValues: this.makeContext().values });
    return this.#inLine(work);
  }

  protected makeContext(): CallContext {
    const { plan, form, wire, record, verb, query } = this.options;
    this.context ??= new CallContext({
      plan,
      verb,
      query,
      protocolName: form.protocol ?? "",
      wire,
      record,
      hasTimeout: this.#timeoutMs !== undefined,
      bytes: () => this.count(),
    });
    return this.context;
  }

  protected failInHandler(thrown: unknown): void {
    if (this.isDone) return;
    const { record } = this.options;
    const error = record.failInHandler(thrown, record.signal);
    record.failInProtocol(error);
    this.#sendError(error);
  }

  protected failInProtocol(error: unknown): void {
    if (this.isDone) return;
    if (error instanceof ConnectError) {
      this.options.record.failInProtocol(error);
      this.#sendError(error);
    } else this.failInServer(error);
  }

  /** Ends the call for a fault of the server. Headers that the handler has set may be its cause. */
  protected failInServer(fault: unknown): void {
    this.context = undefined;
    this.#sendError(this.options.record.failInServer(fault));
  }

  #sendError(error: ConnectError): void {
    if (this.isOver()) return;
    const { wire, record } = this.options;
    try {
      this.writeError(error);
    } catch (fault) {
      if (this.context) {
        this.failInServer(fault);
        return;
      }
      record.failInServer(fault);
      wire.reset();
    }
    this.end(error);
  }

  /** Writes the end of a call that has failed. @throws any error of the wire for a header that can't be sent. */
  protected abstract writeError(error: ConnectError): void;

  /** Ends a call whose answer is written. */
  protected end(error?: ConnectError): void {
    const { wire, record } = this.options;
    this.#finish(error);
    if (wire.unsentBytes < SHORT_ANSWER_BYTES) this.#lookLater();
    else this.boundAnswer();
    if (!this.isReceived) wire.dropRest();
    record.end(200, true);
    record.release();
  }

  /** Bounds the bytes that the answer holds until it is sent, and the time for that. */
  protected boundAnswer(): void {
    const { wire, timeouts } = this.options;
    if (wire.unsentBytes === 0) return;
    this.count();
    wire.cutWhenStalled(timeouts.stallTimeoutMs);
  }

  /** Returns the headers that every answer has. */
  protected headers(): string[] {
    const { record, answerHeaders } = this.options;
    const headers = ["x-content-type-options", "nosniff", "x-request-id", record.requestId, ...answerHeaders];
    if (record.rateLimit) headers.push(...record.rateLimit);
    return headers;
  }

  #finish(error: ConnectError | undefined): void {
    this.isDone = true;
    if (!this.#bytes) this.options.guard.bytes.uncountedCalls -= 1;
    this.options.calls.remove(this.#link);
    this.clock?.stop();
    this.release(error);
  }

  /** Releases everything that the call holds. @param error Error that the call has ended with. */
  protected abstract release(error: ConnectError | undefined): void;
}
