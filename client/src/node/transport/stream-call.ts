import type { IncomingHttpHeaders } from "node:http";
import type { DescMessage, MessageInitShape } from "@bufbuild/protobuf";
import type { ConnectError, StreamResponse } from "@connectrpc/connect";
import { createEndStreamSerialization } from "@connectrpc/connect/protocol-connect";
import { trailerParse } from "@connectrpc/connect/protocol-grpc-web";
import { GrowingBuffer } from "@rollcall/shared/growing-buffer";
import { checkAnswer, checkHead, isAnswer, MAX_ERROR_BYTES } from "../../internal/foreign-answer.ts";
import { toWebHeaders } from "../http/headers.ts";
import { type CallStart, ClientCall } from "./call.ts";
import { broken, isShort, toBroken } from "./faults.ts";
import { isPlainHead } from "./forms.ts";
import { checkTrailer } from "./grpc-status.ts";
import type { MethodPlan } from "./plan.ts";
import { RequestBody } from "./request-body.ts";
import { ResponseMessages } from "./response-messages.ts";
import type { Wire } from "./wire.ts";

/** Time for HTTP to end after the message that ends an answer, in milliseconds. */
const LINGER_MS = 1_000;

const endStream = createEndStreamSerialization(undefined);

export interface StreamStart extends CallStart {
  readonly plan: MethodPlan;
  readonly messages: AsyncIterable<MessageInitShape<DescMessage>>;
  /** Called with the head of the answer, whose messages follow. */
  resolve(response: StreamResponse): void;
  reject(error: ConnectError): void;
  /** Called with the error of a stream that has failed, whether or not it was open. */
  readonly onFailed: ((error: ConnectError) => void) | undefined;
}

/** One call with many messages in its request, in its answer, or in both. */
export class StreamCall extends ClientCall {
  readonly isWhole = false;
  readonly #start: StreamStart;
  readonly #body: RequestBody;
  readonly #messages: ResponseMessages;
  readonly #trailer = new Headers();
  #header = new Headers();
  #lingering: NodeJS.Timeout | undefined;
  #hasAnswered = false;
  /** Error that the answer was broken off with. It comes after the parts that have arrived. */
  #fault: ConnectError | undefined;
  /** gRPC's trailers. */
  #trailers: IncomingHttpHeaders | undefined;
  /** Status and body of an error in JSON that is not of the call's protocol. */
  #foreign: { readonly body: GrowingBuffer; readonly status: number } | undefined;

  constructor(start: StreamStart) {
    super(start);
    this.#start = start;
    const { plan, messages } = start;
    this.#body = new RequestBody(plan, messages, (error) => this.failBySource(error));
    this.#messages = new ResponseMessages({
      plan,
      pause: () => this.wire?.pause(),
      resume: () => this.wire?.resume(),
      readEnd: (content) => this.#readEnd(content),
      atEnd: () => this.#checkEnd(),
      onClose: ({ error, isLeft }) => (error || isLeft ? this.finish(error) : this.#succeed()),
    });
  }

  get canReplay(): boolean {
    return this.#body.canReplay;
  }

  firstBytes(): Promise<number> {
    return this.#body.firstBytes();
  }

  override send(wire: Wire): void {
    super.send(wire);
    if (!this.isOver) this.#body.sendTo(wire);
  }

  override onUnsent(): void {
    super.onUnsent();
    this.#body.leaveWire();
  }

  override onDrain(): void {
    this.#body.onDrain();
  }

  onHead(status: number, headers: IncomingHttpHeaders): void {
    if (this.isOver) return;
    const { form, contentType, method, options } = this.#start.plan;
    this.#header = toWebHeaders(headers);
    if (!isPlainHead(form, contentType, status, headers)) {
      try {
        if (!isAnswer(contentType, status, this.#header)) {
          if (!isShort(headers)) checkHead(contentType, status, this.#header);
          this.#foreign = { body: new GrowingBuffer(MAX_ERROR_BYTES), status };
          return;
        }
        const { coding, error, hasStatus = false } = form.readHead(method.methodKind, status, this.#header, options);
        if (error) throw error;
        this.#messages.coding = coding;
        this.#messages.hasHeadStatus = hasStatus;
        // The head contains the trailers ("Trailers-Only").
        if (hasStatus) this.#setTrailer(this.#header);
      } catch (error) {
        this.finish(toBroken(error));
        return;
      }
    }
    this.#hasAnswered = true;
    this.#start.resolve({
      stream: true,
      service: method.parent,
      method: method as StreamResponse["method"],
      header: this.#header,
      trailer: this.#trailer,
      message: this.#messages,
    });
  }

  onData(bytes: Buffer): void {
    if (this.#foreign) {
      this.#foreign.body.append(bytes);
      if (this.#foreign.body.length > MAX_ERROR_BYTES) this.onEnd(undefined);
    } else this.#messages.push(bytes);
  }

  onEnd(trailers: IncomingHttpHeaders | undefined): void {
    clearTimeout(this.#lingering);
    if (this.isOver) return;
    this.#trailers = trailers;
    if (this.#foreign) void this.#failAsForeign(this.#foreign.status, this.#foreign.body.bytes);
    else this.#end();
  }

  override onError(error: ConnectError): void {
    clearTimeout(this.#lingering);
    if (this.#hasAnswered && !this.isOver) {
      this.#fault = this.deadlineOr(error);
      this.#end();
    } else if (!this.#hasAnswered) super.onError(error);
  }

  /** Notes that nothing more will arrive. The parts that have arrived can still be read, at any time. */
  #end(): void {
    this.isOver = true;
    this.stopClock();
    if (!this.#body.isComplete) this.wire?.cancel();
    this.wire = undefined;
    this.#body.close(this.#fault);
    this.#messages.end();
  }

  /** Ends the call after its last message. HTTP may end a little later, and its connection can then be used again. */
  #succeed(): void {
    const { wire } = this;
    if (wire && this.#body.isComplete) {
      this.wire = undefined;
      this.#lingering = setTimeout(() => wire.cancel(), LINGER_MS);
    }
    this.finish(undefined);
  }

  /** Reads the envelope that ends an answer of Connect or gRPC-Web. */
  #readEnd(content: Uint8Array): void {
    if (this.#start.plan.form.protocol === "connect") {
      const { metadata, error } = endStream.parse(content);
      if (error) {
        for (const [name, value] of this.#header) error.metadata.append(name, value);
        throw error;
      }
      this.#setTrailer(metadata);
    } else {
      const trailer = trailerParse(content);
      checkTrailer(trailer, this.#header);
      this.#setTrailer(trailer);
    }
  }

  /** @throws the error that the answer has ended with. */
  #checkEnd(): void {
    if (this.#fault) throw this.#fault;
    if (this.#start.plan.form.protocol !== "grpc") return;
    const trailer = toWebHeaders(this.#trailers ?? {});
    this.#setTrailer(trailer);
    if (!this.#messages.hasHeadStatus) checkTrailer(trailer, this.#header);
  }

  #setTrailer(trailer: Headers): void {
    for (const [name, value] of trailer) this.#trailer.set(name, value);
  }

  async #failAsForeign(status: number, body: Uint8Array): Promise<void> {
    const { form, contentType, method, options } = this.#start.plan;
    const header = this.#header;
    try {
      const isCompressed = header.has("content-encoding");
      await checkAnswer(contentType, { status, header, isCompressed, open: () => [body] });
      const { error } = form.readHead(method.methodKind, status, header, options);
      throw error ?? broken("it is of no call");
    } catch (error) {
      this.finish(toBroken(error));
    }
  }

  protected settle(error: ConnectError | undefined): void {
    this.#body.close(error);
    if (error) this.#start.onFailed?.(error);
    if (!this.#hasAnswered) {
      if (error) this.#start.reject(error);
    } else if (error) this.#messages.fail(error);
  }
}
