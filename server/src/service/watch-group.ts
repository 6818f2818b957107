import type { ChangePlace } from "../domain/logged-change.ts";
import type { ChangeView, ReadChange } from "./change-view.ts";
import type { WatchEvent } from "./watch-event.ts";

/** A watcher as its group knows it. */
export interface GroupMember {
  /** Number of the next event that it gets. */
  at: number;
  /** Whether it waits for that. */
  readonly isWaiting: boolean;
  /** Reports that there are events. */
  wake(): void;
  /** Ends it, once it has had the events that it can still get. */
  fail(error: Error): void;
}

/**
 * Watchers of one filter. They share one list of events, of which each knows its next, so a watcher that keeps pace costs
 * nothing for the changes that others have not read yet.
 */
export class WatchGroup {
  readonly view: ChangeView;
  readonly members = new Set<GroupMember>();
  /** Events that some member has not had; the first has the number `first`. */
  #events: WatchEvent[] = [];
  #first = 0;
  #isQuiet = false;

  constructor(view: ChangeView) {
    this.view = view;
  }

  /** Number of the event that comes next. */
  get end(): number {
    return this.#first + this.#events.length;
  }

  /** Returns an event by its number: undefined for one that is still to come, null for one that is no longer held. */
  event(number: number): WatchEvent | null | undefined {
    return number < this.#first ? null : this.#events[number - this.#first];
  }

  /** Shows a change to the members, if it concerns them. */
  add(change: ReadChange): void {
    const event = this.view.eventOf(change);
    if (!event) return;
    this.#events.push(event);
    this.#isQuiet = false;
  }

  /** Shows how far the log was read, if there was no event since the call before. */
  progress(place: ChangePlace): void {
    if (this.#isQuiet) this.#events.push(this.view.progress(place));
    this.#isQuiet = !this.#isQuiet;
  }

  /**
   * Drops the events that all members have had, and the oldest ones beyond `maxEvents`.
   *
   * @returns Number of events that are left.
   */
  trim(maxEvents: number): number {
    let least = this.end;
    for (const { at } of this.members) if (at < least) least = at;
    const dropped = Math.max(least - this.#first, this.#events.length - maxEvents);
    if (dropped > 0) {
      this.#events = this.#events.slice(dropped);
      this.#first += dropped;
    }
    return this.#events.length;
  }
}
