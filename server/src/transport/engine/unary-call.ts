import type { Message } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Compression } from "@connectrpc/connect/protocol";
import type { Principal } from "../../domain/principal.ts";
import type { DirectChain } from "../../rpc/chain.ts";
import type { MethodPlan } from "../../rpc/method-plan.ts";
import type { CallRecord } from "../../rpc/record/call-record.ts";
import { assertEnveloped } from "../../rpc/stages/plain-json.ts";
import type { Admission, Arrival } from "../admission/admission.ts";
import type { RequestTimeouts } from "../fastify/request-timeouts.ts";
import type { CallBytes } from "../port/call-bytes.ts";
import type { ConnectionGuard } from "../port/connection-guard.ts";
import { countHeaders } from "../port/raw-headers.ts";
import { answerCoding, MIN_CODED_BYTES } from "./codings.ts";
import { CallContext } from "./context.ts";
import { openEnvelope, sizeInEnvelope } from "./envelope.ts";
import type { UnaryForm } from "./forms.ts";
import { GrowingBuffer } from "./growing-buffer.ts";
import type { BodyReceiver, Wire } from "./wire.ts";

/** Flags of an envelope that mean something: compressed, end of stream. */
const MAX_FLAGS = 3;

export interface UnaryCallOptions {
  chain: DirectChain;
  /** Calls under way, of which this becomes one. */
  calls: Set<UnaryCall>;
  admission: Admission;
  timeouts: RequestTimeouts;
  plan: MethodPlan;
  form: UnaryForm;
  /** Of the request's messages. */
  coding: Compression | undefined;
  wire: Wire;
  record: CallRecord;
  guard: ConnectionGuard;
  connection: object;
  /** Counts what the call holds, where its carrier has begun to. */
  bytes?: CallBytes | undefined;
  /** Answers a call that was not let in. */
  answerRefused(reason: "overloaded" | "expired"): void;
}

/** One call with one message each way, from its headers to the end of its answer. */
export class UnaryCall implements BodyReceiver, Arrival {
  readonly isStream = false;
  readonly #options: UnaryCallOptions;
  #context: CallContext | undefined;
  #timeoutMs: number | undefined;
  #deadline: NodeJS.Timeout | undefined;
  #bodyTimer: NodeJS.Timeout | undefined;
  /** The first part of the body; the rest goes into a buffer. */
  #body: Uint8Array | undefined;
  #rest: GrowingBuffer | undefined;
  /** Counts what the call holds, once it holds something. */
  #bytes: CallBytes | undefined;
  #hasStarted = false;
  #isReceived = false;
  #isDone = false;

  constructor(options: UnaryCallOptions) {
    this.#options = options;
    this.#bytes = options.bytes;
  }

  get connection(): object {
    return this.#options.connection;
  }

  timeoutMs(): number | undefined {
    const { form, wire } = this.#options;
    return form.parseTimeout(wire).timeoutMs;
  }

  isGone(): boolean {
    return this.#options.wire.isClosed;
  }

  isAnswered(): boolean {
    return this.#isDone;
  }

  progress(): "receiving" | "working" | "answered" {
    if (this.#isDone) return "answered";
    return this.#isReceived ? "working" : "receiving";
  }

  evict(): void {
    this.#options.wire.refuse();
  }

  refuse(reason: "overloaded" | "expired"): void {
    this.#isDone = true;
    this.#options.answerRefused(reason);
  }

  /** Begins the call: its clock, then the gate. */
  start(): void {
    const { chain, calls, form, wire, plan, record } = this.#options;
    this.#hasStarted = true;
    this.#options.guard.bytes.uncountedCalls += 1;
    record.protocol = form.protocol;
    calls.add(this);
    try {
      const { timeoutMs, error } = form.parseTimeout(wire);
      this.#timeoutMs = timeoutMs === undefined ? undefined : Math.min(timeoutMs, chain.maxTimeoutMs);
      this.#startClock(record.startedAtMs + (this.#timeoutMs ?? plan.defaultTimeoutMs));
      const principal = chain.gate({
        method: plan.name,
        requestId: record.requestId,
        authorization: wire.header("authorization"),
        authorizationCount: countHeaders(wire.rawHeaders, "authorization"),
      });
      if (error) throw error;
      if (principal instanceof Promise) {
        principal.then(
          (known) => this.#admit(known),
          (refusal: unknown) => this.#failInProtocol(refusal),
        );
      } else this.#admit(principal);
    } catch (error) {
      this.#failInProtocol(error);
    }
  }

  #startClock(deadlineAtMs: number): void {
    this.#options.record.deadlineAtMs = deadlineAtMs;
    // A call that has waited may be late already; Node warns of a negative time.
    this.#deadline = setTimeout(endAtDeadline, Math.max(0, deadlineAtMs - performance.now()), this);
  }

  /** Ends the call with an error, whatever it waits for. */
  abort(error: ConnectError): void {
    this.#options.record.abort(error);
    this.#failInProtocol(error);
  }

  #admit(principal: Principal | undefined): void {
    if (this.#isDone) return;
    const { wire, guard, record, chain, timeouts } = this.#options;
    record.principal = principal;
    if (principal || chain.isOpen) guard.admit();
    if (record.deadlineAtMs - performance.now() > timeouts.bodyTimeoutMs) {
      this.#bodyTimer = setTimeout(failLate, timeouts.bodyTimeoutMs, this);
    }
    const waiting = guard.bytes.isQuiet ? undefined : this.#count().hold(0);
    if (waiting) waiting.then(() => this.#isDone || wire.receive());
    else wire.receive();
  }

  onData(bytes: Uint8Array): void {
    if (this.#isDone) return;
    const { record, form, plan } = this.#options;
    record.requestBytes += bytes.byteLength;
    if (this.#body === undefined) {
      if (bytes.byteLength === 0) return;
      this.#body = bytes;
      if (form.isEnveloped && (bytes[0] ?? 0) > MAX_FLAGS && !this.#isEnveloped(bytes)) return;
    } else this.#hold(bytes);
    const start = this.#rest?.bytes ?? this.#body;
    const length = form.isEnveloped ? sizeInEnvelope(start) : start.byteLength;
    if (length > plan.maxBytes) this.#failInProtocol(tooLarge(length, plan.maxBytes));
  }

  /** Whether a body that does not begin with known flags is no plain JSON; if it is, the call has failed. */
  #isEnveloped(bytes: Uint8Array): boolean {
    try {
      assertEnveloped(bytes[0], this.#options.wire.header("content-type") ?? "", true);
      return true;
    } catch (error) {
      this.#failInProtocol(error);
      return false;
    }
  }

  /** Adds a part to a body that did not arrive in one. */
  #hold(bytes: Uint8Array): void {
    const { plan, wire } = this.#options;
    const call = this.#count();
    this.#rest ??= new GrowingBuffer(plan.maxBytes, this.#body);
    const before = this.#rest.capacity;
    this.#rest.append(bytes);
    call.moved();
    const grown = this.#rest.capacity - before;
    const waiting = grown === 0 ? undefined : call.hold(grown);
    if (!waiting) return;
    wire.pause();
    waiting.then(() => wire.resume());
  }

  /** The counter of what the call holds. */
  #count(): CallBytes {
    const { guard, wire } = this.#options;
    this.#bytes ??= guard.bytes.open({
      queuedBytes: () => wire.queuedBytes,
      unsentBytes: () => wire.unsentBytes,
      end: () => wire.cutOff(),
    });
    return this.#bytes;
  }

  onEnd(): void {
    if (this.#isDone) return;
    this.#isReceived = true;
    clearTimeout(this.#bodyTimer);
    const { form, record, coding, plan } = this.#options;
    record.isReadingRequest = true;
    const body = this.#rest?.bytes ?? this.#body ?? new Uint8Array();
    try {
      const { message, isCompressed } = form.isEnveloped
        ? openEnvelope(body, coding !== undefined)
        : { message: body, isCompressed: coding !== undefined };
      if (coding && isCompressed) {
        this.#inTurn(() => coding.decompress(message, plan.maxBytes)).then(
          (inflated) => this.#handle(inflated),
          (error: unknown) => this.#failInProtocol(error),
        );
      } else this.#handle(message);
    } catch (error) {
      this.#failInProtocol(error);
    }
  }

  /** Inflates or deflates in the call's turn. */
  #inTurn(work: () => Promise<Uint8Array>): Promise<Uint8Array> {
    const { chain, record } = this.#options;
    return chain.codingLine.run({ signal: record.signal, contextValues: this.#makeContext().values }, work);
  }

  #makeContext(): CallContext {
    const { plan, form, wire, record } = this.#options;
    this.#context ??= new CallContext(plan, form.protocol, wire, record, this.#timeoutMs !== undefined);
    return this.#context;
  }

  #handle(bytes: Uint8Array): void {
    if (this.#isDone) return;
    const { form, record, plan, chain, wire } = this.#options;
    let message: Message;
    try {
      message = form.codecOf(plan, wire).read(bytes);
    } catch (error) {
      this.#failInProtocol(error);
      return;
    }
    record.isReadingRequest = false;
    try {
      // A busy loop runs its timers late.
      if (performance.now() >= record.deadlineAtMs) throw deadlineExceeded();
      chain.validate(plan.method.input, message);
      const answer = plan.implementation(message as never, this.#makeContext());
      if (answer instanceof Promise) {
        answer.then(
          (settled) => this.#answer(settled),
          (error: unknown) => this.#failInHandler(error),
        );
      } else this.#answer(answer);
    } catch (error) {
      this.#failInHandler(error);
    }
  }

  onDrain(): void {}

  onClose(): void {
    this.#options.admission.leave(this);
    this.#bytes?.close();
    if (this.#isDone || !this.#hasStarted) return;
    this.#finish();
    const { record } = this.#options;
    record.abort(new ConnectError("the call was canceled", Code.Canceled));
    record.end(undefined, false);
  }

  #answer(message: unknown): void {
    if (this.#isDone) return;
    const { form, plan, wire } = this.#options;
    try {
      const bytes = form.codecOf(plan, wire).write(message as Message);
      const coding = bytes.byteLength < MIN_CODED_BYTES ? undefined : answerCoding(wire.header(form.acceptHeader));
      if (coding) {
        const compressed = this.#inTurn(() => coding.compress(bytes));
        compressed.then(
          (shorter) => this.#send(shorter, coding.name),
          (error: unknown) => this.#failInProtocol(error),
        );
      } else this.#send(bytes);
    } catch (error) {
      this.#failInProtocol(error);
    }
  }

  #send(bytes: Uint8Array, coding?: string): void {
    if (this.#isDone) return;
    const { form, wire, record } = this.#options;
    try {
      record.responseBytes = form.sendMessage(wire, this.#headers(), bytes, this.#context, coding);
    } catch (error) {
      this.#failInProtocol(error);
      return;
    }
    this.#finish();
    this.#bound();
    record.end(200, true);
  }

  #failInHandler(error: unknown): void {
    if (this.#isDone) return;
    const { record } = this.#options;
    this.#sendError(record.failInHandler(error, record.signal));
  }

  #failInProtocol(error: unknown): void {
    if (this.#isDone) return;
    if (error instanceof ConnectError) {
      this.#options.record.failInProtocol(error);
      this.#sendError(error);
    } else this.#failInServer(error);
  }

  /** Ends the call for a fault of the server's; what the handler has set may be its cause. */
  #failInServer(fault: unknown): void {
    this.#context = undefined;
    this.#sendError(this.#options.record.failInServer(fault));
  }

  #sendError(error: ConnectError): void {
    const { form, wire, record } = this.#options;
    try {
      record.responseBytes = form.sendError(wire, this.#headers(), error, this.#context);
    } catch (fault) {
      if (this.#context) {
        this.#failInServer(fault);
        return;
      }
      record.failInServer(fault);
      wire.reset();
    }
    this.#finish();
    this.#bound();
    if (!this.#isReceived) wire.dropRest();
    record.end(200, true);
  }

  /** Bounds what the answer holds until it has left, and for how long. */
  #bound(): void {
    const { wire, timeouts } = this.#options;
    if (wire.unsentBytes === 0) return;
    this.#count();
    wire.cutWhenStalled(timeouts.stallTimeoutMs);
  }

  #headers(): string[] {
    return ["x-content-type-options", "nosniff", "x-request-id", this.#options.record.requestId];
  }

  #finish(): void {
    this.#isDone = true;
    this.#options.guard.bytes.uncountedCalls -= 1;
    this.#options.calls.delete(this);
    clearTimeout(this.#deadline);
    clearTimeout(this.#bodyTimer);
    this.#body = undefined;
    this.#rest = undefined;
  }
}

function endAtDeadline(call: UnaryCall): void {
  call.abort(deadlineExceeded());
}

function failLate(call: UnaryCall): void {
  call.abort(new ConnectError("the request did not arrive in time", Code.DeadlineExceeded));
}

function deadlineExceeded(): ConnectError {
  return new ConnectError("the operation timed out", Code.DeadlineExceeded);
}

function tooLarge(bytes: number, maxBytes: number): ConnectError {
  return new ConnectError(
    `message size ${bytes} is larger than configured readMaxBytes ${maxBytes}`,
    Code.ResourceExhausted,
  );
}
