import type { Message } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { ENVELOPE_HEADER_BYTES, sizeInEnvelope } from "@rollcall/shared/envelope";
import { GrowingBuffer } from "@rollcall/shared/growing-buffer";
import { tooLarge } from "../../rpc/call-errors.ts";
import { Call } from "./call.ts";
import type { CallOptions } from "./call-options.ts";
import { answerCoding, MIN_CODED_BYTES } from "./codings.ts";
import { openEnvelope } from "./envelope.ts";
import type { UnaryForm } from "./forms.ts";

/** Largest trailers of a request, in bytes including their envelope. They have no meaning and are dropped. */
const MAX_TRAILERS_BYTES = 16 * 1_024;

export type UnaryCallOptions = CallOptions<UnaryForm>;

/** One call with one message in each direction, from its headers to the end of its answer. */
export class UnaryCall extends Call<UnaryForm> {
  readonly isStream = false;
  /** First part of the body. If there are more, they are joined in a buffer. */
  #body: Uint8Array | undefined;
  #rest: GrowingBuffer | undefined;

  protected begin(): void {
    const { wire, timeouts } = this.options;
    this.clock?.boundBody(timeouts.bodyTimeoutMs);
    wire.receive();
  }

  onData(bytes: Uint8Array): void {
    if (this.isDone) return;
    const { record, form, plan } = this.options;
    this.moved();
    record.requestBytes += bytes.byteLength;
    if (this.#body === undefined) {
      if (bytes.byteLength === 0) return;
      this.#body = bytes;
      if (form.isEnveloped && !this.beginsEnveloped(bytes)) return;
    } else this.#hold(bytes);
    const start = this.#rest?.bytes ?? this.#body;
    // Allow for trailers after the message.
    const rest = start.byteLength - ENVELOPE_HEADER_BYTES - MAX_TRAILERS_BYTES;
    const length = form.isEnveloped ? Math.max(sizeInEnvelope(start), rest) : start.byteLength;
    if (length > plan.maxBytes) this.failInProtocol(tooLarge(length, plan.maxBytes));
  }

  /** Adds a part to a body that arrives in several. */
  #hold(bytes: Uint8Array): void {
    const { plan, wire } = this.options;
    const call = this.count();
    this.#rest ??= new GrowingBuffer(plan.maxBytes, this.#body);
    const before = this.#rest.capacity;
    this.#rest.append(bytes);
    const grown = this.#rest.capacity - before;
    const waiting = grown === 0 ? undefined : call.hold(grown);
    if (!waiting) return;
    wire.pause();
    waiting.then(() => wire.resume());
  }

  protected onReceived(error: ConnectError | undefined): void {
    if (error) {
      this.failInProtocol(error);
      return;
    }
    const { form, record, coding } = this.options;
    record.isReadingRequest = true;
    const body = this.#rest?.bytes ?? this.#body ?? new Uint8Array();
    if (!form.isEnveloped) {
      this.open(body, coding !== undefined);
      return;
    }
    const options = { isCoded: coding !== undefined, endFlag: form.endFlag };
    const opened = openEnvelope(body, 0, options);
    if (!opened) this.failInProtocol(protocolError("missing"));
    else if (opened instanceof ConnectError) this.failInProtocol(opened);
    else {
      const next = openEnvelope(body, opened.end, options);
      const fault = next && (next instanceof ConnectError ? next : protocolError("received extra"));
      this.open(opened.message, opened.isCompressed, fault);
    }
  }

  /**
   * Inflates a message if it is compressed, and passes it to the handler.
   *
   * @param fault Fault of the bytes after it, reported if the message itself is valid.
   */
  protected open(message: Uint8Array, isCompressed: boolean, fault?: ConnectError): void {
    const { coding, plan } = this.options;
    if (coding && isCompressed) {
      this.inTurn(() => coding.decompress(message, plan.maxBytes)).then(
        (inflated) => this.#handle(inflated, fault),
        (error: unknown) => this.failInProtocol(error),
      );
    } else this.#handle(message, fault);
  }

  #handle(bytes: Uint8Array, fault: ConnectError | undefined): void {
    if (this.isDone) return;
    const { form, record, plan, chain, wire } = this.options;
    let message: Message;
    try {
      message = form.codecOf(plan, wire).read(bytes);
      if (fault) throw fault;
    } catch (error) {
      this.failInProtocol(error);
      return;
    }
    record.isReadingRequest = false;
    try {
      this.clock?.throwIfOver();
      chain.validate(plan.method.input, message);
      const { trace } = record;
      const answer = trace ? trace.run(() => this.#callHandler(message)) : this.#callHandler(message);
      if (answer instanceof Promise) {
        answer.then(
          (settled) => this.#answer(settled),
          (error: unknown) => this.failInHandler(error),
        );
      } else this.#answer(answer);
    } catch (error) {
      this.failInHandler(error);
    }
  }

  #callHandler(message: Message): unknown {
    return this.options.plan.implementation(message as never, this.makeContext());
  }

  #answer(message: unknown): void {
    if (this.isDone) return;
    const { form, plan, wire } = this.options;
    try {
      const bytes = form.codecOf(plan, wire).write(message as Message);
      if (this.answerUnchanged(bytes)) return;
      const coding = bytes.byteLength < MIN_CODED_BYTES ? undefined : answerCoding(wire.header(form.acceptHeader));
      if (coding) {
        this.inTurn(() => coding.compress(bytes)).then(
          (shorter) => this.#send(shorter, coding.name),
          (error: unknown) => this.failInProtocol(error),
        );
      } else this.#send(bytes);
    } catch (error) {
      this.failInProtocol(error);
    }
  }

  /** If the client already has the answer, ends the call without sending it. Returns whether it has. */
  protected answerUnchanged(_bytes: Uint8Array): boolean {
    return false;
  }

  #send(bytes: Uint8Array, coding?: string): void {
    if (this.isOver()) return;
    const { form, wire, record } = this.options;
    try {
      record.responseBytes = form.sendMessage(wire, this.headers(), bytes, this.context, coding);
    } catch (error) {
      this.failInProtocol(error);
      return;
    }
    this.end();
  }

  protected writeError(error: ConnectError): void {
    const { form, wire, record } = this.options;
    record.responseBytes = form.sendError(wire, this.headers(), error, this.context);
  }

  protected release(): void {
    this.#body = undefined;
    this.#rest = undefined;
  }
}

function protocolError(what: "missing" | "received extra"): ConnectError {
  return new ConnectError(`protocol error: ${what} input message for unary method`, Code.Unimplemented);
}
