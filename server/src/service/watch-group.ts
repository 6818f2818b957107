import type { ChangePlace } from "../domain/logged-change.ts";
import type { ChangeView, ReadChange } from "./change-view.ts";
import type { EventBatch, WatchEvent } from "./watch-event.ts";

/**
 * Most events of a batch. An event has some 250 bytes and 2 kB at most, so a write has some 16 kB and 128 kB at most.
 */
export const MAX_BATCH_EVENTS = 64;

/** A watcher, as its group sees it. */
export interface GroupMember {
  /** Number of the next batch that it gets. */
  at: number;
  /** Whether it waits for that batch. */
  readonly isWaiting: boolean;
  /** Notifies it that there are events. */
  wake(): void;
  /** Ends it, after the events that it can still get. */
  fail(error: Error): void;
}

/**
 * Watchers of one filter. They share one list of batches, and each keeps the number of its next one. A watcher that
 * keeps pace therefore costs nothing for changes that others have not read yet.
 */
export class WatchGroup {
  readonly view: ChangeView;
  readonly members = new Set<GroupMember>();
  /** Batches that some member still needs; the first has the number `first`. */
  #batches: EventBatch[] = [];
  #first = 0;
  #heldEvents = 0;
  #isQuiet = false;

  constructor(view: ChangeView) {
    this.view = view;
  }

  /** Number of the batch that will be added next. */
  get end(): number {
    return this.#first + this.#batches.length;
  }

  /** Returns a batch by its number: undefined if it is still to come, null if it is no longer held. */
  batch(number: number): EventBatch | null | undefined {
    return number < this.#first ? null : this.#batches[number - this.#first];
  }

  /** Adds changes that were read together, as far as the filter shows them. */
  add(changes: readonly ReadChange[]): void {
    const events: WatchEvent[] = [];
    for (const change of changes) {
      const event = this.view.eventOf(change);
      if (event) events.push(event);
    }
    if (events.length === 0) return;
    for (let at = 0; at < events.length; at += MAX_BATCH_EVENTS) this.#push(events.slice(at, at + MAX_BATCH_EVENTS));
    this.#isQuiet = false;
  }

  /** Sends members how far the log was read, if there was no event since the last call. */
  progress(place: ChangePlace): void {
    if (this.#isQuiet) this.#push([this.view.progress(place)]);
    this.#isQuiet = !this.#isQuiet;
  }

  /**
   * Drops the batches that all members have taken, and the oldest ones while there are more than `maxEvents` events.
   */
  trim(maxEvents: number): void {
    let least = this.end;
    for (const { at } of this.members) if (at < least) least = at;
    let dropped = 0;
    for (const { length } of this.#batches) {
      if (this.#first + dropped >= least && this.#heldEvents <= maxEvents) break;
      this.#heldEvents -= length;
      dropped += 1;
    }
    if (dropped === 0) return;
    this.#batches = this.#batches.slice(dropped);
    this.#first += dropped;
  }

  #push(batch: EventBatch): void {
    this.#batches.push(batch);
    this.#heldEvents += batch.length;
  }
}
