import type { Direction } from "../../calls/call-record.ts";

export interface LoggedMessage {
  /** Number of the message, from 1, across both directions. */
  readonly number: number;
  readonly direction: Direction;
  /** Time since the call began, in milliseconds. */
  readonly atMs: number;
  /** Message as JSON, cut if it is long. */
  readonly text: string;
}

/** Most messages that are kept. */
const MAX_MESSAGES = 200;
/** Most characters that are kept, of all messages together. */
const MAX_CHARACTERS = 1_000_000;
/** Most characters of one message. */
const MAX_MESSAGE_CHARACTERS = 50_000;

/** Latest messages of a call. If there are many, the first ones are dropped. */
export class MessageLog {
  #messages: readonly LoggedMessage[] = [];
  #characters = 0;
  #count = 0;

  /** The kept messages, in order of arrival. The list itself is never modified. */
  get messages(): readonly LoggedMessage[] {
    return this.#messages;
  }

  /** Number of messages that are no longer kept. */
  get dropped(): number {
    return this.#count - this.#messages.length;
  }

  add(direction: Direction, atMs: number, text: string): void {
    const kept =
      text.length <= MAX_MESSAGE_CHARACTERS
        ? text
        : `${text.slice(0, MAX_MESSAGE_CHARACTERS)}… (${text.length - MAX_MESSAGE_CHARACTERS} characters more)`;
    const messages = [...this.#messages, { number: ++this.#count, direction, atMs, text: kept }];
    this.#characters += kept.length;
    while (messages.length > MAX_MESSAGES || this.#characters > MAX_CHARACTERS) {
      this.#characters -= messages.shift()?.text.length ?? 0;
    }
    this.#messages = messages;
  }
}
