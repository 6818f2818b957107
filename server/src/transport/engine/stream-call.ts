import type { Message } from "@bufbuild/protobuf";
import type { ConnectError } from "@connectrpc/connect";
import type { Compression } from "@connectrpc/connect/protocol";
import { COMPRESSED } from "@rollcall/shared/envelope";
import { MAX_TIMER_MS } from "@rollcall/shared/max-timer-ms";
import { MessageWriter } from "@rollcall/shared/message-writer";
import { AnswerBatch, BatchedAnswers, type EncodedBatch } from "../../rpc/answer-batch.ts";
import { CALL_ENDED, expiryOf, tooLate } from "../../rpc/call-errors.ts";
import { toMalformed } from "../../rpc/malformed.ts";
import { isTurnOver, nextTurn } from "../../runtime/loop-turn.ts";
import { Call } from "./call.ts";
import type { CallOptions } from "./call-options.ts";
import { answerCoding, MIN_CODED_BYTES } from "./codings.ts";
import { withoutCoding } from "./envelope.ts";
import { countReadBytes } from "./free-young-buffers.ts";
import { onlyMessage } from "./only-message.ts";
import { RequestMessages } from "./request-messages.ts";
import type { StreamForm } from "./stream-forms.ts";

const turnClock = { isTurnOver: () => isTurnOver(), nextTurn };

/** Size from which on a message counts as kept while its handler has it, in bytes. */
const MIN_KEPT_BYTES = 1_024;

/** One call with many messages in its request, in its answer, or in both. */
export class StreamCall extends Call<StreamForm> {
  readonly isStream = true;
  readonly #messages: RequestMessages;
  readonly #writer: MessageWriter;
  /** Iterator of a handler that has not finished. */
  #answers: AsyncIterator<unknown> | undefined;
  #answerCoding: Compression | undefined;
  #uploadTimer: NodeJS.Timeout | undefined;
  /** Messages that are sent together with the end of the answer. */
  #rest: Uint8Array | undefined;
  #keptBytes = 0;
  #hasReceived = false;
  #hasBegun = false;

  constructor(options: CallOptions<StreamForm>) {
    super(options);
    const { plan, wire, guard } = options;
    this.#messages = new RequestMessages({
      maxBytes: plan.maxBytes,
      lendsMessages: plan.lendsMessages,
      read: (bytes, flags) => this.#read(bytes, flags),
      hold: (deltaBytes) => this.count().hold(deltaBytes),
      hasRoom: () => guard.bytes.isQuiet,
      onRead: () => this.#keep(0),
      pause: () => wire.pause(),
      resume: () => wire.resume(),
      ignoreRest: () => wire.ignoreRest(),
    });
    this.#writer = new MessageWriter((bytes) => this.#write(bytes), turnClock);
  }

  protected override get queuedBytes(): number {
    return this.#messages.queuedBytes;
  }

  override get isAwaited(): boolean {
    return super.isAwaited && this.#messages.isAwaited;
  }

  protected begin(): void {
    const { record, chain, wire, plan, timeouts } = this.options;
    const { methodKind } = plan.method;
    const { principal } = record;
    if (principal)
      this.clock?.boundBy(Math.min(principal.expiresAtMs - chain.now(), MAX_TIMER_MS), expiryOf(principal));
    if (methodKind === "server_streaming") {
      this.clock?.boundBody(timeouts.bodyTimeoutMs);
      void this.#handleOne();
    } else {
      if (methodKind === "client_streaming")
        this.#uploadTimer = setTimeout(failIfAwaited, timeouts.stallTimeoutMs, this);
      this.#handle(this.#messages);
    }
    if (!this.isDone) wire.receive();
  }

  onData(bytes: Uint8Array): void {
    if (this.isDone) return;
    this.moved();
    this.#uploadTimer?.refresh();
    this.options.record.requestBytes += bytes.byteLength;
    if (!this.#hasReceived) {
      if (bytes.byteLength === 0) return;
      this.#hasReceived = true;
      if (!this.beginsEnveloped(bytes)) return;
    }
    countReadBytes(bytes.byteLength);
    this.#messages.push(bytes);
    if (this.#messages.queuedBytes > 0) this.count();
  }

  protected onReceived(error: ConnectError | undefined): void {
    clearTimeout(this.#uploadTimer);
    this.#uploadTimer = undefined;
    this.#messages.end(error);
  }

  /**
   * Ends an upload that is late, if its handler waits for the client. If instead the client waits for the handler, the
   * time starts again.
   */
  failIfAwaited(): void {
    if (this.#messages.isAwaited) this.#messages.fail(tooLate());
    else this.#uploadTimer?.refresh();
  }

  #read(bytes: Uint8Array, flags: number): Message | undefined | Promise<Message | undefined> {
    if (this.#keptBytes > 0 || bytes.byteLength >= MIN_KEPT_BYTES) this.#keep(bytes.byteLength);
    const { coding, plan, form } = this.options;
    const isEnd = form.endFlag !== 0 && (flags & form.endFlag) === form.endFlag;
    if ((flags & COMPRESSED) === 0) return isEnd ? undefined : this.#parse(bytes);
    if (!coding) throw withoutCoding();
    const inflated = this.inTurn(() => coding.decompress(bytes, plan.maxBytes));
    return inflated.then((message) => (isEnd ? undefined : this.#parse(message)));
  }

  #keep(bytes: number): void {
    if (bytes === this.#keptBytes) return;
    this.count().keep(bytes - this.#keptBytes);
    this.#keptBytes = bytes;
  }

  #parse(bytes: Uint8Array): Message {
    const { form, plan, wire, chain, record } = this.options;
    let message: Message;
    try {
      message = form.codecOf(plan, wire).read(bytes);
    } catch (error) {
      throw toMalformed(error);
    }
    record.spendMessage?.();
    chain.validate(plan.method.input, message);
    return message;
  }

  async #handleOne(): Promise<void> {
    try {
      const request = await onlyMessage(this.#messages);
      if (!this.isDone) this.#handle(request);
    } catch (error) {
      this.failInHandler(error);
    }
  }

  #handle(request: Message | RequestMessages): void {
    const { trace } = this.options.record;
    if (trace) trace.run(() => this.#callHandler(request));
    else this.#callHandler(request);
  }

  #callHandler(request: Message | RequestMessages): void {
    const { plan } = this.options;
    try {
      this.clock?.throwIfOver();
      const answer = plan.implementation(request as never, this.makeContext());
      if (plan.method.methodKind === "client_streaming") void this.#sendOne(answer);
      else if (answer instanceof BatchedAnswers) void this.#sendEach(answer.batches());
      else void this.#sendEach((answer as AsyncIterable<unknown>)[Symbol.asyncIterator]());
    } catch (error) {
      this.failInHandler(error);
    }
  }

  async #sendOne(answer: unknown): Promise<void> {
    try {
      const message = await answer;
      if (this.isDone) return;
      await this.#send(message);
      this.#complete();
    } catch (error) {
      this.failInHandler(error);
    }
  }

  async #sendEach(answers: AsyncIterator<unknown>): Promise<void> {
    this.#answers = answers;
    try {
      for (;;) {
        const result = await answers.next();
        if (result.done || this.isDone) break;
        const { value } = result;
        const waiting = value instanceof AnswerBatch ? this.#sendBatch(value) : this.#send(value);
        if (waiting) await waiting;
        if (this.isDone) return;
      }
      this.#answers = undefined;
      this.#complete();
    } catch (error) {
      this.#answers = undefined;
      this.failInHandler(error);
    }
  }

  /** Sends a message. If it returns a promise, the next one may be made when that resolves. */
  #send(message: unknown): Promise<void> | undefined {
    const { form, plan, wire } = this.options;
    let bytes: Uint8Array;
    try {
      bytes = form.codecOf(plan, wire).write(message as Message);
    } catch (error) {
      this.failInProtocol(error);
      return undefined;
    }
    if (bytes.byteLength >= MIN_CODED_BYTES) {
      this.#chooseCoding();
      if (this.#answerCoding) return this.#compress(bytes, this.#answerCoding);
    }
    if (!this.#begin()) return undefined;
    return this.#writer.add(bytes, false);
  }

  /** Sends a batch in one write of bytes that all streams share, unless one of its messages has to be compressed. */
  #sendBatch(batch: AnswerBatch): Promise<void> | undefined {
    const { form, plan, wire } = this.options;
    let encoded: EncodedBatch;
    try {
      encoded = batch.encode(form.codecOf(plan, wire));
    } catch (error) {
      this.failInProtocol(error);
      return undefined;
    }
    if (encoded.longestBytes >= MIN_CODED_BYTES) {
      this.#chooseCoding();
      if (this.#answerCoding) return this.#sendOneByOne(batch);
    }
    if (!this.#begin()) return undefined;
    return this.#writer.addEnveloped(encoded.bytes);
  }

  async #sendOneByOne({ answers }: AnswerBatch): Promise<void> {
    for (const answer of answers) {
      await this.#send(answer);
      if (this.isDone) return;
    }
  }

  async #compress(bytes: Uint8Array, coding: Compression): Promise<void> {
    try {
      const shorter = await this.inTurn(() => coding.compress(bytes));
      if (!this.isDone && this.#begin()) await this.#writer.add(shorter, true);
    } catch (error) {
      this.failInProtocol(error);
    }
  }

  #chooseCoding(): void {
    const { form, wire } = this.options;
    this.#answerCoding ??= answerCoding(wire.header(form.acceptHeader));
  }

  #write(bytes: Uint8Array): boolean {
    if (this.isDone) return true;
    const { wire, record } = this.options;
    record.responseBytes += bytes.byteLength;
    const hasRoom = wire.write(bytes);
    this.boundAnswer();
    if (!hasRoom) this.count().recount();
    return hasRoom;
  }

  /**
   * Sends the headers; handlers may set them until there is a first message. Returns false if the headers made the call
   * fail.
   */
  #begin(): boolean {
    if (this.#hasBegun) return true;
    if (this.isOver()) return false;
    const { form, wire } = this.options;
    this.#chooseCoding();
    try {
      form.begin(wire, this.headers(), this.context, this.#answerCoding?.name);
      this.#hasBegun = true;
    } catch (fault) {
      this.failInServer(fault);
    }
    return this.#hasBegun;
  }

  override onDrain(): void {
    this.#writer.onDrain();
  }

  /** Ends the answer of a handler that has finished. */
  #complete(): void {
    if (this.isOver() || !this.#begin()) return;
    try {
      this.#writeEnd(undefined);
    } catch (error) {
      this.failInServer(error);
      return;
    }
    this.end();
  }

  protected writeError(error: ConnectError): void {
    if (this.#hasBegun) this.#writeEnd(error);
    else {
      const { form, wire, record } = this.options;
      record.responseBytes = form.sendError(wire, this.headers(), error, this.context);
    }
  }

  #writeEnd(error: ConnectError | undefined): void {
    const { form, wire, record } = this.options;
    // Even if a trailer can't be sent, the remaining messages must be.
    this.#rest ??= this.#writer.take();
    record.responseBytes += form.end(wire, this.#rest, error, this.context);
    this.#rest = undefined;
  }

  protected release(error: ConnectError | undefined): void {
    clearTimeout(this.#uploadTimer);
    this.#messages.fail(error ?? CALL_ENDED);
    this.#writer.onDrain();
    if (this.#answers) void endEarly(this.#answers);
    this.#answers = undefined;
  }
}

/** Ends a handler whose answers are not wanted any more. A handler that ignores this may never answer. */
async function endEarly(answers: AsyncIterator<unknown>): Promise<void> {
  try {
    await answers.return?.();
  } catch {
    // Nobody waits for the result.
  }
}

function failIfAwaited(call: StreamCall): void {
  call.failIfAwaited();
}
