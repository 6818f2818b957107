import { setTimeout as delay, setImmediate as nextTurn } from "node:timers/promises";
import { ChangesTrimmedError, DatabaseUnavailableError, OtherDatabaseError, StoppingError } from "../domain/errors.ts";
import type { ChangePlace } from "../domain/logged-change.ts";
import { MAX_HELD_CHANGES, MAX_WATCHER_LAG, WATCH_PROGRESS_INTERVAL_MS } from "../limits.ts";
import type { ChangeLog, ChangePage } from "../repository/change-log.ts";
import { type ChangeView, ReadChange } from "./change-view.ts";
import { type GroupMember, WatchGroup } from "./watch-group.ts";

/** Changes that are read together: a millisecond or two of work. */
export const CHANGES_AT_ONCE = 256;
/** Watchers that are woken in one turn of the event loop: some 2 ms, including their writes. */
const WOKEN_AT_ONCE = 128;
/** Time for which the database may be unavailable before watchers are ended. */
const MAX_AWAY_MS = 10_000;
/**
 * Pause after a round of waking, as a multiple of the round's duration. Watchers thus leave three quarters of a core to
 * calls.
 */
const PAUSE_TIMES = 3;
/** Longest such pause. */
const MAX_PAUSE_MS = 250;

export interface ChangeFeedOptions {
  changes: ChangeLog;
  /** Time after which a quiet watcher gets `progress`, in milliseconds. */
  progressIntervalMs?: number | undefined;
  /** Changes that a watcher may be behind. It is less where many filters are watched. */
  maxLag?: number | undefined;
  /** Called with the error when reading fails, unless the database is only unavailable. */
  onError(error: unknown): void;
}

/**
 * Reads the log of changes, once for all watchers of the process, while there are any. Each change is matched with each
 * filter, and encoded once for all its watchers.
 *
 * Rounds pace themselves: changes gather while many watchers are woken, and in a pause afterwards whose length is
 * proportional. Each watcher then gets them in one write, of bytes that all of them share. With few watchers, or after
 * a quiet time, there is no delay.
 */
export class ChangeFeed {
  readonly #changes: ChangeLog;
  readonly #progressIntervalMs: number;
  readonly #maxLag: number;
  readonly #onError: (error: unknown) => void;
  readonly #groups = new Map<string, WatchGroup>();
  #epoch = "";
  #place: ChangePlace = "";
  #stopListening: (() => void) | undefined;
  #pollTimer: NodeJS.Timeout | undefined;
  #progressTimer: NodeJS.Timeout | undefined;
  #isReading = false;
  /** End of the pause after the last round; monotonic. */
  #pausedUntilMs = 0;
  #mayHaveMore = false;
  #awaySinceMs: number | undefined;
  #isClosed = false;

  constructor(options: ChangeFeedOptions) {
    const { changes, progressIntervalMs = WATCH_PROGRESS_INTERVAL_MS, maxLag = MAX_WATCHER_LAG, onError } = options;
    this.#changes = changes;
    this.#progressIntervalMs = progressIntervalMs;
    this.#maxLag = maxLag;
    this.#onError = onError;
  }

  /** Number of watchers. */
  get size(): number {
    let size = 0;
    for (const { members } of this.#groups.values()) size += members.size;
    return size;
  }

  /** Place up to which watchers have been sent the changes, or are being sent them; undefined without watchers. */
  get place(): ChangePlace | undefined {
    return this.#groups.size > 0 ? this.#place : undefined;
  }

  /** @throws StoppingError if the feed is closed. */
  assertOpen(): void {
    if (this.#isClosed) throw new StoppingError();
  }

  /**
   * Adds a watcher. From now on its group gets every change after the place that is returned. The watcher has to read
   * the changes up to that place by itself.
   *
   * @param place Place up to which the watcher has read the log, of the view's epoch.
   */
  join(view: ChangeView, place: ChangePlace, member: GroupMember): { group: WatchGroup; place: ChangePlace } {
    this.assertOpen();
    if (this.#groups.size === 0) this.#start(view.epoch, place);
    // The database has been replaced, and the feed has not noticed yet.
    else if (view.epoch !== this.#epoch) throw new DatabaseUnavailableError();
    const group = this.#groups.get(view.filter) ?? new WatchGroup(view);
    this.#groups.set(view.filter, group);
    member.at = group.end;
    group.members.add(member);
    return { group, place: this.#place };
  }

  leave(group: WatchGroup, member: GroupMember): void {
    group.members.delete(member);
    if (group.members.size > 0 || this.#groups.get(group.view.filter) !== group) return;
    this.#groups.delete(group.view.filter);
    if (this.#groups.size === 0) this.#stop();
  }

  /** Ends all watchers, present and future ones. */
  close(): void {
    this.#isClosed = true;
    this.#failAll(new StoppingError());
  }

  #start(epoch: string, place: ChangePlace): void {
    this.#epoch = epoch;
    this.#place = place;
    this.#awaySinceMs = undefined;
    this.#stopListening = this.#changes.onCommit(() => this.#look());
    this.#pollTimer = setInterval(() => this.#look(), this.#changes.pollIntervalMs).unref();
    this.#progressTimer = setInterval(() => this.#bookmark(), this.#progressIntervalMs / 2).unref();
    this.#look();
  }

  #stop(): void {
    this.#stopListening?.();
    clearInterval(this.#pollTimer);
    clearInterval(this.#progressTimer);
  }

  #look(): void {
    this.#mayHaveMore = true;
    if (this.#isReading) return;
    this.#isReading = true;
    void this.#readAll();
  }

  async #readAll(): Promise<void> {
    // Wait a turn, since changes of one turn are committed together.
    await nextTurn();
    while (this.#mayHaveMore && this.#groups.size > 0) {
      const pauseMs = this.#pausedUntilMs - performance.now();
      if (pauseMs > 0) await delay(pauseMs);
      this.#mayHaveMore = false;
      try {
        await this.#readPage();
        this.#awaySinceMs = undefined;
      } catch (error) {
        this.#failed(error);
        break;
      }
    }
    this.#isReading = false;
    if (this.#mayHaveMore && this.#groups.size > 0 && this.#awaySinceMs === undefined) this.#look();
  }

  async #readPage(): Promise<void> {
    const after = this.#place;
    const epoch = this.#epoch;
    const page = await this.#changes.read({ after, limit: CHANGES_AT_ONCE });
    // All watchers have left meanwhile, and a new one has begun at another place.
    if (this.#place !== after || this.#epoch !== epoch) return;
    assertWhole(page, epoch, after);
    const changes = page.changes.map((change) => new ReadChange(change));
    for (const group of this.#groups.values()) group.add(changes);
    this.#place = page.place;
    if (page.changes.length > 0) await this.#wakeAll();
    if (page.changes.length === CHANGES_AT_ONCE) this.#mayHaveMore = true;
  }

  async #wakeAll(): Promise<void> {
    const startedAtMs = performance.now();
    let woken = 0;
    for (const group of this.#groups.values()) {
      const { end } = group;
      for (const member of group.members) {
        if (!member.isWaiting || member.at === end) continue;
        member.wake();
        woken += 1;
        if (woken % WOKEN_AT_ONCE === 0) await nextTurn();
      }
    }
    // Let the watchers that were woken last take their events first.
    await nextTurn();
    const maxEvents = Math.min(this.#maxLag, Math.ceil(MAX_HELD_CHANGES / this.#groups.size));
    for (const group of this.#groups.values()) group.trim(maxEvents);
    const endedAtMs = performance.now();
    this.#pausedUntilMs = endedAtMs + Math.min(PAUSE_TIMES * (endedAtMs - startedAtMs), MAX_PAUSE_MS);
  }

  #bookmark(): void {
    // While the database is unavailable, nobody knows whether the watchers are up to date.
    if (this.#awaySinceMs !== undefined) return;
    for (const group of this.#groups.values()) group.progress(this.#place);
    void this.#wakeAll();
  }

  #failed(error: unknown): void {
    if (error instanceof DatabaseUnavailableError) {
      this.#awaySinceMs ??= performance.now();
      // Wait for the next poll to try again.
      if (performance.now() - this.#awaySinceMs < MAX_AWAY_MS) return;
      this.#failAll(error);
    } else {
      const isGone = error instanceof ChangesTrimmedError || error instanceof OtherDatabaseError;
      if (!isGone) this.#onError(error);
      this.#failAll(error instanceof Error ? error : new Error("changes can't be read", { cause: error }));
    }
  }

  #failAll(error: Error): void {
    const groups = [...this.#groups.values()];
    this.#groups.clear();
    this.#stop();
    for (const group of groups) for (const member of group.members) member.fail(error);
  }
}

/**
 * Checks that a page has every change after a place of this epoch.
 *
 * @throws OtherDatabaseError | ChangesTrimmedError
 */
export function assertWhole({ epoch, keptBehind }: ChangePage, expected: string, after: ChangePlace): void {
  if (epoch !== expected) throw new OtherDatabaseError();
  if (keptBehind > after) throw new ChangesTrimmedError();
}
