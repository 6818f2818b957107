import type { IncomingHttpHeaders } from "node:http";
import type { ConnectError, UnaryResponse } from "@connectrpc/connect";
import { ENVELOPE_HEADER_BYTES, sizeInEnvelope } from "@rollcall/shared/envelope";
import { GrowingBuffer } from "@rollcall/shared/growing-buffer";
import { MessageReader } from "@rollcall/shared/message-reader";
import { checkHead, isAnswer, MAX_ERROR_BYTES } from "../../internal/foreign-answer.ts";
import { toWebHeaders } from "../http/headers.ts";
import { type CallStart, ClientCall } from "./call.ts";
import { isShort, toBroken, tooLarge, wrongCount } from "./faults.ts";
import { isPlainHead } from "./forms.ts";
import type { MethodPlan } from "./plan.ts";
import { readUnary, type UnaryAnswer } from "./read-unary.ts";
import type { Outcome } from "./sender.ts";
import type { Wire } from "./wire.ts";

/** Room after a message for gRPC-Web's trailers, in bytes. */
const MAX_TRAILERS_BYTES = 64 * 1_024;

/** One call with one message in each direction. */
export class UnaryCall extends ClientCall implements UnaryAnswer {
  readonly isWhole = true;
  readonly canReplay = true;
  readonly plan: MethodPlan;
  status = 0;
  isPlain = false;
  trailers: IncomingHttpHeaders | undefined;
  /** Reader of the body, if it arrives in several pieces. */
  messages: MessageReader | undefined;
  #headers: IncomingHttpHeaders = {};
  /** The whole body; undefined for a GET. */
  readonly #body: Uint8Array | undefined;
  readonly #outcome: Outcome<UnaryResponse>;
  #response: UnaryResponse | undefined;
  /** Whether the body is in envelopes. */
  #isEnveloped = false;
  /** Whether the answer is an error in JSON that may come from another server. */
  #isForeign = false;
  #maxBytes = 0;
  /** First piece of the body. If there are more, they are joined in a buffer. */
  #first: Uint8Array | undefined;
  #rest: GrowingBuffer | undefined;

  constructor(start: CallStart, plan: MethodPlan, body: Uint8Array | undefined, outcome: Outcome<UnaryResponse>) {
    super(start);
    this.plan = plan;
    this.#body = body;
    this.#outcome = outcome;
  }

  get headers(): IncomingHttpHeaders {
    return this.#headers;
  }

  /** The body as it arrived, if it is not in envelopes, or arrived in one piece. */
  get body(): Uint8Array {
    return this.#rest?.bytes ?? this.#first ?? new Uint8Array();
  }

  firstBytes(): number {
    return this.#body?.byteLength ?? 0;
  }

  override send(wire: Wire): void {
    super.send(wire);
    if (!this.isOver) wire.end(this.#body);
  }

  onHead(status: number, headers: IncomingHttpHeaders): void {
    const { form, contentType, options } = this.plan;
    this.status = status;
    this.#headers = headers;
    this.#maxBytes = options.readMaxBytes;
    this.#isEnveloped = form.isUnaryEnveloped;
    this.isPlain = isPlainHead(form, contentType, status, headers);
    if (this.isPlain) return;
    const header = toWebHeaders(headers);
    if (isAnswer(contentType, status, header)) return;
    try {
      if (!isShort(headers)) checkHead(contentType, status, header);
    } catch (error) {
      // The body, such as a page, may never end.
      this.finish(toBroken(error));
      return;
    }
    this.#isForeign = true;
    this.#isEnveloped = false;
    // One more byte shows that the body is too long for an error.
    this.#maxBytes = MAX_ERROR_BYTES + 1;
  }

  onData(bytes: Buffer): void {
    if (this.isOver || bytes.byteLength === 0) return;
    const first = this.#first;
    if (!first) {
      this.#first = bytes;
      const size = this.#isEnveloped ? sizeInEnvelope(bytes) : bytes.byteLength;
      if (size > this.#maxBytes) this.#isTooLarge(size);
    } else if (this.#isEnveloped) this.#readOn(first, bytes);
    else {
      this.#rest ??= new GrowingBuffer(this.#maxBytes, new Uint8Array(first));
      this.#rest.append(bytes);
      if (this.#rest.length > this.#maxBytes) this.#isTooLarge(this.#rest.length);
    }
  }

  /** Splits a body of envelopes as it arrives. */
  #readOn(first: Uint8Array, bytes: Uint8Array): void {
    if (!this.messages) {
      this.messages = new MessageReader(this.#maxBytes);
      this.messages.push(first, true);
    }
    this.messages.push(bytes, true);
    const { tooLargeBytes, queuedBytes } = this.messages;
    if (tooLargeBytes !== undefined) this.#isTooLarge(tooLargeBytes);
    // Whatever the body is, it has more than one message.
    else if (queuedBytes > this.#maxBytes + ENVELOPE_HEADER_BYTES + MAX_TRAILERS_BYTES) {
      this.finish(wrongCount("received extra"));
    }
  }

  /** Ends the call, since the answer is too large. Of another server's answer, the error needs only the beginning. */
  #isTooLarge(bytes: number): void {
    if (this.#isForeign) {
      this.wire?.cancel();
      this.onEnd(undefined);
    } else this.finish(tooLarge(bytes, this.#maxBytes));
  }

  onEnd(trailers: IncomingHttpHeaders | undefined): void {
    if (this.isOver) return;
    this.wire = undefined;
    this.trailers = trailers;
    try {
      const response = readUnary(this);
      if (response instanceof Promise) {
        response.then(
          (read) => this.#succeed(read),
          (error: unknown) => this.finish(toBroken(error)),
        );
      } else this.#succeed(response);
    } catch (error) {
      this.finish(toBroken(error));
    }
  }

  #succeed(response: UnaryResponse): void {
    this.#response = response;
    this.finish(undefined);
  }

  protected settle(error: ConnectError | undefined): void {
    const { resolve, reject } = this.#outcome;
    if (this.#response) resolve(this.#response);
    else if (error) reject(error);
    this.#first = undefined;
    this.#rest = undefined;
    this.messages = undefined;
  }
}
