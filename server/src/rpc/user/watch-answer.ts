import type { WatchUsersResponse } from "@rollcall/gen/user/v1/user";
import type { WatchEvent } from "../../service/watch-event.ts";
import { EncodedAnswer } from "../encoded-answer.ts";
import { encodeWatchEvent } from "./encode.ts";
import { watchEventJson } from "./encode-json.ts";
import { toWatchedEvent } from "./mapper.ts";

/** An event of a watch. It is encoded once, whoever gets it. */
export class WatchAnswer extends EncodedAnswer {
  readonly #event: WatchEvent;
  #bytes: Uint8Array | undefined;
  #jsonText: string | undefined;

  constructor(event: WatchEvent) {
    super();
    this.#event = event;
  }

  get event(): WatchUsersResponse["event"] {
    return toWatchedEvent(this.#event);
  }

  get resumeToken(): string {
    return this.#event.resumeToken;
  }

  get changeId(): string {
    return this.#event.changeId;
  }

  toBytes(): Uint8Array {
    this.#bytes ??= encodeWatchEvent(this.#event);
    return this.#bytes;
  }

  toJsonText(): string {
    this.#jsonText ??= watchEventJson(this.#event);
    return this.#jsonText;
  }
}

/** Answers with events: an event that several watchers share is one answer. */
export class WatchAnswers implements AsyncIterableIterator<WatchAnswer> {
  static readonly #answers = new WeakMap<WatchEvent, WatchAnswer>();
  readonly #events: AsyncIterableIterator<WatchEvent>;

  constructor(events: AsyncIterableIterator<WatchEvent>) {
    this.#events = events;
  }

  async next(): Promise<IteratorResult<WatchAnswer, undefined>> {
    const result = await this.#events.next();
    if (result.done) return { done: true, value: undefined };
    let answer = WatchAnswers.#answers.get(result.value);
    if (!answer) {
      answer = new WatchAnswer(result.value);
      WatchAnswers.#answers.set(result.value, answer);
    }
    return { done: false, value: answer };
  }

  async return(): Promise<IteratorResult<WatchAnswer, undefined>> {
    await this.#events.return?.();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
