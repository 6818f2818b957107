import type { WatchUsersResponse } from "@rollcall/gen/user/v1/user";
import type { EventBatch, WatchEvent } from "../../service/watch-event.ts";
import { AnswerBatch, BatchedAnswers } from "../answer-batch.ts";
import { EncodedAnswer } from "../encoded-answer.ts";
import { encodeWatchEvent } from "./encode.ts";
import { watchEventJson } from "./encode-json.ts";
import { toWatchedEvent } from "./mapper.ts";

/** An event of a watch. It is encoded once, however many watchers get it. */
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

/** Answers with events. A batch that several watchers share becomes one batch of answers. */
export class WatchAnswers extends BatchedAnswers<WatchAnswer> {
  readonly #events: AsyncIterator<WatchEvent | EventBatch, undefined>;

  constructor(events: AsyncIterator<WatchEvent | EventBatch, undefined>) {
    super();
    this.#events = events;
  }

  batches(): AsyncIterator<WatchAnswer | AnswerBatch<WatchAnswer>, undefined> {
    const events = this.#events;
    return {
      next: () => events.next().then(toResult),
      async return() {
        await events.return?.();
        return { done: true, value: undefined };
      },
    };
  }
}

const shared = new WeakMap<EventBatch, AnswerBatch<WatchAnswer>>();

function toResult(
  result: IteratorResult<WatchEvent | EventBatch, undefined>,
): IteratorResult<WatchAnswer | AnswerBatch<WatchAnswer>, undefined> {
  return result.done
    ? result
    : { done: false, value: "kind" in result.value ? new WatchAnswer(result.value) : toBatch(result.value) };
}

function toBatch(events: EventBatch): AnswerBatch<WatchAnswer> {
  let batch = shared.get(events);
  if (!batch) {
    batch = new AnswerBatch(events.map((event) => new WatchAnswer(event)));
    shared.set(events, batch);
  }
  return batch;
}
