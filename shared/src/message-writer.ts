import { COMPRESSED, ENVELOPE_HEADER_BYTES, envelope, envelopes } from "./envelope.ts";

/** Largest group of messages that is written together, in bytes: the usual size of a frame. */
const MAX_GATHERED_BYTES = 16 * 1_024;

/** Clock of the event loop's turn. It is for messages whose producer may run for ever without waiting. */
export interface TurnClock {
  /** Whether this turn has lasted long enough. */
  isTurnOver(): boolean;
  /** Resolves in a later turn. */
  nextTurn(): Promise<void>;
}

/**
 * Gathers the messages of a body that are produced without a pause, and writes them together: at the latest when their
 * producer waits.
 */
export class MessageWriter {
  readonly #write: (bytes: Uint8Array) => boolean;
  readonly #clock: TurnClock | undefined;
  #messages: Uint8Array[] = [];
  #gatheredBytes = 0;
  #isScheduled = false;
  #isFull = false;
  #wake: (() => void) | undefined;

  /**
   * @param write Writes. Returns false if no more should be written until `onDrain`.
   * @param clock Lets others have a turn between messages. Default: only a full `write` does.
   */
  constructor(write: (bytes: Uint8Array) => boolean, clock?: TurnClock) {
    this.#write = write;
    this.#clock = clock;
  }

  /** Adds a message. If it returns a promise, the next one may be made when that resolves. */
  add(message: Uint8Array, isCompressed: boolean): Promise<void> | undefined {
    if (isCompressed) {
      this.flush();
      this.#isFull = !this.#write(envelope(COMPRESSED, message));
      return this.#room();
    }
    this.#messages.push(message);
    this.#gatheredBytes += ENVELOPE_HEADER_BYTES + message.byteLength;
    const isOver = this.#clock?.isTurnOver() ?? false;
    if (isOver || this.#gatheredBytes >= MAX_GATHERED_BYTES) {
      this.flush();
      return this.#room() ?? (isOver ? this.#clock?.nextTurn() : undefined);
    }
    if (!this.#isScheduled) {
      this.#isScheduled = true;
      // Runs after everything that the handler does without waiting.
      process.nextTick(flush, this);
    }
    return this.#room();
  }

  /** Writes messages that are already in envelopes, after the gathered ones. Returns the same as `add`. */
  addEnveloped(bytes: Uint8Array): Promise<void> | undefined {
    this.flush();
    this.#isFull = !this.#write(bytes);
    return this.#room() ?? (this.#clock?.isTurnOver() ? this.#clock.nextTurn() : undefined);
  }

  /** Writes the gathered messages. */
  flush(): void {
    this.#isScheduled = false;
    const bytes = this.take();
    if (bytes) this.#isFull = !this.#write(bytes);
  }

  /** Takes the gathered messages. The caller has to write them. */
  take(): Uint8Array | undefined {
    const [first] = this.#messages;
    if (!first) return undefined;
    const bytes = this.#messages.length === 1 ? envelope(0, first) : envelopes(this.#messages, this.#gatheredBytes);
    this.#messages = [];
    this.#gatheredBytes = 0;
    return bytes;
  }

  /** Notes that there is room again, or that nobody waits for it any more. */
  onDrain(): void {
    this.#isFull = false;
    this.#wake?.();
  }

  #room(): Promise<void> | undefined {
    if (!this.#isFull) return undefined;
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}

function flush(writer: MessageWriter): void {
  writer.flush();
}
