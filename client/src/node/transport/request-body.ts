import type { DescMessage, MessageInitShape } from "@bufbuild/protobuf";
import { ConnectError } from "@connectrpc/connect";
import { MessageWriter } from "@rollcall/shared/message-writer";
import type { MethodPlan } from "./plan.ts";
import type { Wire } from "./wire.ts";

/**
 * Size up to which a stream's body can be sent again, in bytes. The first piece can always be sent again, whatever its
 * size; a unary call has only one.
 */
const KEPT_BYTES = 64 * 1_024;

/**
 * Body of a stream's request: takes messages from the caller as fast as the server accepts them. It keeps the
 * beginning, so that a request that no server has acted on can be sent again.
 */
export class RequestBody {
  readonly #plan: MethodPlan;
  readonly #source: AsyncIterator<MessageInitShape<DescMessage>>;
  readonly #onFault: (error: ConnectError) => void;
  readonly #writer = new MessageWriter((bytes) => this.#write(bytes));
  readonly #first = Promise.withResolvers<number>();
  #wire: Wire | undefined;
  #hasBegun = false;
  #kept: Uint8Array[] | undefined = [];
  #keptBytes = 0;
  /** Whether all messages have been taken. */
  isComplete = false;
  #isOver = false;

  /** @param onFault Called when the caller's messages can't be read or sent. */
  constructor(
    plan: MethodPlan,
    messages: AsyncIterable<MessageInitShape<DescMessage>>,
    onFault: (error: ConnectError) => void,
  ) {
    this.#plan = plan;
    this.#source = messages[Symbol.asyncIterator]();
    this.#onFault = onFault;
    // Only a call that waits for a connection uses the promise.
    this.#first.promise.catch(() => {});
  }

  /** False if more has been sent than is kept. */
  get canReplay(): boolean {
    return this.#kept !== undefined;
  }

  /** Resolves with the size of the first piece. */
  firstBytes(): Promise<number> {
    this.#begin();
    return this.#first.promise;
  }

  /** Sends the body from its beginning. */
  sendTo(wire: Wire): void {
    this.#wire = wire;
    for (const piece of this.#kept ?? []) wire.write(piece);
    if (this.isComplete) wire.end();
    this.#begin();
    this.#writer.onDrain();
  }

  /** Stops sending until there is another wire. */
  leaveWire(): void {
    this.#wire = undefined;
  }

  onDrain(): void {
    this.#writer.onDrain();
  }

  /** Takes no more messages. @param error Error that the call has failed with, for the messages' source. */
  close(error: ConnectError | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#kept = undefined;
    this.#writer.take();
    this.#writer.onDrain();
    // Not awaited: a source that is stuck in a read may never answer.
    if (error) this.#source.throw?.(error).catch(() => {});
    this.#source.return?.().catch(() => {});
  }

  #begin(): void {
    if (this.#hasBegun) return;
    this.#hasBegun = true;
    this.#sendAll().catch((error: unknown) => {
      this.#first.reject(error);
      if (!this.#isOver) this.#onFault(ConnectError.from(error));
    });
  }

  async #sendAll(): Promise<void> {
    const source = this.#source;
    for (let result = await source.next(); !result.done; result = await source.next()) {
      if (this.#isOver) return;
      const added = this.#add(this.#plan.serialize(result.value));
      // Await only if necessary, since each wait costs a turn of the microtask queue.
      if (added) await added;
      if (this.#isOver) return;
    }
    if (this.#isOver) return;
    this.isComplete = true;
    const rest = this.#writer.take();
    this.#first.resolve(rest?.byteLength ?? 0);
    if (rest) this.#keep(rest);
    this.#wire?.end(rest);
  }

  #add(bytes: Uint8Array): Promise<void> | undefined {
    const { sendCompression } = this.#plan.options;
    if (!sendCompression || !this.#plan.isCompressed(bytes)) return this.#writer.add(bytes, false);
    return sendCompression.compress(bytes).then((shorter) => this.#writer.add(shorter, true));
  }

  #write(piece: Uint8Array): boolean {
    if (this.#isOver) return true;
    this.#first.resolve(piece.byteLength);
    this.#keep(piece);
    return this.#wire?.write(piece) ?? false;
  }

  #keep(piece: Uint8Array): void {
    if (!this.#kept) return;
    this.#kept.push(piece);
    this.#keptBytes += piece.byteLength;
    if (this.#keptBytes > KEPT_BYTES && this.#kept.length > 1) this.#kept = undefined;
  }
}
