import type { ChangePlace } from "../domain/logged-change.ts";
import type { ChangeView, ReadChange } from "./change-view.ts";
import type { EventBatch, WatchEvent } from "./watch-event.ts";

/** Most events of a batch, each of some 250 bytes and 2 kB at most: a write of some 16 kB, and of 128 kB at most. */
export const MAX_BATCH_EVENTS = 64;

/** A watcher as its group knows it. */
export interface GroupMember {
  /** Number of the next batch that it gets. */
  at: number;
  /** Whether it waits for that. */
  readonly isWaiting: boolean;
  /** Reports that there are events. */
  wake(): void;
  /** Ends it, once it has had the events that it can still get. */
  fail(error: Error): void;
}

/**
 * Watchers of one filter. They share one list of batches, of which each knows its next, so a watcher that keeps pace costs
 * nothing for the changes that others have not read yet.
 */
export class WatchGroup {
  readonly view: ChangeView;
  readonly members = new Set<GroupMember>();
  /** Batches that some member has not had; the first has the number `first`. */
  #batches: EventBatch[] = [];
  #first = 0;
  #heldEvents = 0;
  #isQuiet = false;

  constructor(view: ChangeView) {
    this.view = view;
  }

  /** Number of the batch that comes next. */
  get end(): number {
    return this.#first + this.#batches.length;
  }

  /** Returns a batch by its number: undefined for one that is still to come, null for one that is no longer held. */
  batch(number: number): EventBatch | null | undefined {
    return number < this.#first ? null : this.#batches[number - this.#first];
  }

  /** Shows changes that were read together to the members, as far as they concern them. */
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

  /** Shows how far the log was read, if there was no event since the call before. */
  progress(place: ChangePlace): void {
    if (this.#isQuiet) this.#push([this.view.progress(place)]);
    this.#isQuiet = !this.#isQuiet;
  }

  /** Drops the batches that all members have had, and the oldest ones while there are more than `maxEvents` events. */
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
