import { setTimeout as delay, setImmediate as nextTurn } from "node:timers/promises";
import { ChangesGoneError, OtherDatabaseError, SlowWatcherError } from "../domain/errors.ts";
import type { ChangePlace } from "../domain/logged-change.ts";
import { WATCH_PROGRESS_INTERVAL_MS } from "../limits.ts";
import type { UserRepository } from "../repository/user-repository.ts";
import { assertWhole, CHANGES_AT_ONCE, type ChangeFeed } from "./change-feed.ts";
import { ChangeView, filterTextOf, ReadChange } from "./change-view.ts";
import type { ResumeTokens } from "./resume-token.ts";
import { assertKept, UserSnapshot } from "./user-snapshot.ts";
import { type EventBatch, existingUser, signOf, type WatchEvent } from "./watch-event.ts";
import type { GroupMember, WatchGroup } from "./watch-group.ts";

/** Pause before changes that are committed, but not readable yet, are read again. */
const SETTLE_MS = 10;

export interface WatchRequest {
  /** Token to resume from; "" begins anew. */
  readonly resumeToken: string;
  /** Whether a new stream begins with the existing users. */
  readonly includeExisting: boolean;
  /** Words of the filter. */
  readonly words: readonly string[];
}

export interface WatcherDependencies {
  repository: UserRepository;
  feed: ChangeFeed;
  /** Resolves to the object that makes resume tokens. */
  tokens(): Promise<ResumeTokens>;
}

const DONE: IteratorReturnResult<undefined> = { done: true, value: undefined };

/**
 * One stream of events. At first it reads by itself, event by event: the existing users, and the log up to the feed's
 * place. Then it joins a group that the feed serves, with batches that all members share. From then on it costs no more
 * than this object and the promise of its next batch.
 */
export class UserWatcher implements AsyncIterableIterator<WatchEvent | EventBatch>, GroupMember {
  /** Number of the next batch to take from the group. */
  at = 0;
  readonly #dependencies: WatcherDependencies;
  readonly #request: WatchRequest;
  /** Events that the watcher reads by itself. */
  #opening: AsyncGenerator<WatchEvent, void> | undefined;
  #group: WatchGroup | undefined;
  /** Place up to which the watcher has read by itself. The group may have events from before that. */
  #readUpTo: ChangePlace = "";
  #waiting: PromiseWithResolvers<IteratorResult<WatchEvent | EventBatch, undefined>> | undefined;
  #error: Error | undefined;
  #controller: AbortController | undefined;
  #hasLeft = false;

  constructor(dependencies: WatcherDependencies, request: WatchRequest) {
    this.#dependencies = dependencies;
    this.#request = request;
    this.#opening = this.#begin(request.resumeToken);
  }

  get isWaiting(): boolean {
    return this.#waiting !== undefined;
  }

  /**
   * @throws InvalidArgumentError for an invalid resume token, or one of another filter.
   * @throws ChangesGoneError for one that is too old, or of another database, unless existing users were requested.
   * @throws SlowWatcherError when the reader is too slow.
   * @throws StoppingError | DatabaseUnavailableError
   */
  async next(): Promise<IteratorResult<WatchEvent | EventBatch, undefined>> {
    for (;;) {
      if (this.#hasLeft) return DONE;
      try {
        if (this.#opening) {
          const result = await this.#opening.next();
          if (!result.done) return result;
          this.#opening = undefined;
        }
        const batch = this.#take();
        if (batch) return { done: false, value: batch };
      } catch (error) {
        this.#leave();
        if (!(error instanceof ChangesGoneError && this.#request.includeExisting)) throw error;
        this.#error = undefined;
        this.#opening = this.#beginAnew();
        continue;
      }
      if (this.#hasLeft) return DONE;
      this.#waiting = Promise.withResolvers();
      return this.#waiting.promise;
    }
  }

  async return(): Promise<IteratorReturnResult<undefined>> {
    this.#hasLeft = true;
    this.#leave();
    this.#controller?.abort();
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.resolve(DONE);
    void this.#opening?.return();
    return DONE;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  wake(): void {
    const waiting = this.#waiting;
    if (!waiting) return;
    this.#waiting = undefined;
    waiting.resolve(this.next());
  }

  fail(error: Error): void {
    this.#error = error;
    this.wake();
  }

  /** Returns the group's next events that the watcher has not seen, if there are any. */
  #take(): EventBatch | undefined {
    for (;;) {
      const batch = this.#group?.batch(this.at);
      if (batch === null) throw new SlowWatcherError();
      if (!batch) break;
      this.at += 1;
      const [first] = batch;
      // Events come in the order of their places: if the first one is new, all are.
      if (first && this.#isNews(first)) return batch;
      const news = batch.filter((event) => this.#isNews(event));
      if (news.length > 0) return news;
    }
    if (this.#error) throw this.#error;
    return undefined;
  }

  #isNews({ kind, place }: WatchEvent): boolean {
    return place > this.#readUpTo || (kind === "progress" && place === this.#readUpTo);
  }

  #leave(): void {
    if (this.#group) this.#dependencies.feed.leave(this.#group, this);
    this.#group = undefined;
  }

  async *#begin(resumeToken: string): AsyncGenerator<WatchEvent, void> {
    const { repository, feed, tokens } = this.#dependencies;
    const { words, includeExisting } = this.#request;
    feed.assertOpen();
    const made = await tokens();
    const head = await repository.changes.head();
    const view = new ChangeView(made, head.epoch, words);
    if (resumeToken === "") {
      if (includeExisting) yield* this.#existing(view, head.settled);
      else yield* this.#follow(view, head.settled, head.written);
      return;
    }
    const place = made.decode(resumeToken, head.epoch, filterTextOf(words));
    // A database file that was restored by hand keeps its epoch, so its log may end before the token's place.
    if (place > head.written && place > head.settled) throw new OtherDatabaseError();
    assertKept(place, head.keptBehind);
    yield* this.#follow(view, place, head.written);
  }

  async *#beginAnew(): AsyncGenerator<WatchEvent, void> {
    yield signOf("reset", "", "");
    yield* this.#begin("");
  }

  /** Yields the existing users, `synced`, and then the changes made meanwhile. */
  async *#existing(view: ChangeView, start: ChangePlace): AsyncGenerator<WatchEvent, void> {
    const { repository } = this.#dependencies;
    const snapshot = new UserSnapshot(repository, view, start);
    this.#controller = new AbortController();
    for await (const user of snapshot.users(this.#controller.signal)) yield existingUser(user);
    this.#controller = undefined;
    yield signOf("synced", snapshot.end, snapshot.hasLater ? "" : view.tokenOf(snapshot.end));
    if (snapshot.hasLater) {
      for (let place = snapshot.start; place < snapshot.end; ) {
        const page = await this.#read(view, place);
        for (const change of page.changes) {
          if (change.place > snapshot.end) break;
          // A stream can't resume after such a change, since the snapshot already has some later ones.
          const event = snapshot.has(change) ? undefined : view.eventOf(new ReadChange(change), false);
          if (event) yield event;
        }
        place = page.place;
      }
      yield view.progress(snapshot.end);
    }
    yield* this.#follow(view, snapshot.end, undefined);
  }

  /**
   * Yields the changes after a place, and then joins the group of the same filter.
   *
   * @param syncAt Place up to which changes come before `synced`; undefined if `synced` was already sent.
   */
  async *#follow(
    view: ChangeView,
    start: ChangePlace,
    syncAt: ChangePlace | undefined,
  ): AsyncGenerator<WatchEvent, void> {
    let place = start;
    let target: ChangePlace | undefined;
    let lastSentAtMs = performance.now();
    for (let isSynced = syncAt === undefined; ; ) {
      if (!isSynced && place >= (syncAt as ChangePlace)) {
        isSynced = true;
        yield signOf("synced", place, view.tokenOf(place));
      }
      if (target !== undefined && place >= target && isSynced) break;
      const page = await this.#read(view, place);
      if (this.#hasLeft) return;
      for (const change of page.changes) {
        const event = view.eventOf(new ReadChange(change));
        if (!event) continue;
        yield event;
        lastSentAtMs = performance.now();
      }
      place = page.place;
      if (performance.now() - lastSentAtMs > WATCH_PROGRESS_INTERVAL_MS) {
        yield view.progress(place);
        lastSentAtMs = performance.now();
      }
      if (page.changes.length === CHANGES_AT_ONCE) await nextTurn();
      else if (target === undefined) target = this.#join(view, place);
      else if (!isSynced || place < target) await delay(SETTLE_MS);
    }
    this.#readUpTo = place;
  }

  #join(view: ChangeView, place: ChangePlace): ChangePlace {
    const { feed } = this.#dependencies;
    const { group, place: feedPlace } = feed.join(view, place, this);
    this.#group = group;
    return feedPlace;
  }

  async #read({ epoch }: ChangeView, after: ChangePlace) {
    const { repository, feed } = this.#dependencies;
    feed.assertOpen();
    const page = await repository.changes.read({ after, limit: CHANGES_AT_ONCE });
    assertWhole(page, epoch, after);
    return page;
  }
}
