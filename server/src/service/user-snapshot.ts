import { setTimeout as delay } from "node:timers/promises";
import { ChangesTrimmedError, OtherDatabaseError } from "../domain/errors.ts";
import type { ChangePlace, LoggedChange } from "../domain/logged-change.ts";
import type { User } from "../domain/user.ts";
import { BY_CREATION, type Cursor, placeOf } from "../domain/user-order.ts";
import type { UserRepository } from "../repository/user-repository.ts";
import { assertWhole, CHANGES_AT_ONCE } from "./change-feed.ts";
import type { ChangeView } from "./change-view.ts";

const USERS_AT_ONCE = 500;
/** Pause before changes that are committed, but not readable yet, are read again. */
const SETTLE_MS = 10;

/** Part of the directory, with the place in the log at which its state was taken. */
interface Part {
  /** Last place in the order of creation; undefined for the end. */
  upTo: Cursor | undefined;
  readonly at: ChangePlace;
}

/**
 * Matching users, read page by page while they change. Reading a page takes several turns. The changes that were made
 * meanwhile are then read from the log and applied, so that a page has the state of one place in the log. Later pages
 * have later states, so changes made since to users of earlier pages still have to be sent.
 */
export class UserSnapshot {
  /** Place after which there may be changes to send. */
  readonly start: ChangePlace;
  /** Place up to which all changes are known. */
  end: ChangePlace;
  /** Whether users that were sent have changed again between `start` and `end`. */
  hasLater = false;
  readonly #repository: UserRepository;
  readonly #view: ChangeView;
  /** Parts of the directory, in order. A new one begins whenever something changed between two pages. */
  readonly #parts: Part[] = [];

  /** @param start Settled place of the log. */
  constructor(repository: UserRepository, view: ChangeView, start: ChangePlace) {
    this.#repository = repository;
    this.#view = view;
    this.start = start;
    this.end = start;
  }

  /** Yields each matching user once. */
  async *users(signal: AbortSignal): AsyncGenerator<User, void> {
    for (let after: Cursor | undefined, isLast = false; !isLast; ) {
      const { words } = this.#view;
      const users = await this.#repository.list({ words, after, limit: USERS_AT_ONCE, signal });
      const last = users.at(-1);
      isLast = users.length < USERS_AT_ONCE;
      const upTo = isLast || !last ? undefined : placeOf(last, BY_CREATION);
      const changed = await this.#changesSince(after, signal);
      const page = changed.size > 0 ? this.#apply(users, changed, after, upTo) : users;
      const previous = this.#parts.at(-1);
      if (previous?.at === this.end) previous.upTo = upTo;
      else this.#parts.push({ upTo, at: this.end });
      yield* page;
      after = upTo;
    }
  }

  /** Returns whether a change was already part of its user's state when that was sent. */
  has({ place, before, after }: LoggedChange): boolean {
    const at = placeOf((after ?? before) as User, BY_CREATION);
    const part = this.#parts.find(({ upTo }) => !upTo || compare(at, upTo) <= 0);
    return part !== undefined && place <= part.at;
  }

  /** Reads the changes up to now. Returns the last change of each user that changed. */
  async #changesSince(sentUpTo: Cursor | undefined, signal: AbortSignal): Promise<Map<string, LoggedChange>> {
    const { changes } = this.#repository;
    const changed = new Map<string, LoggedChange>();
    const { epoch, written } = await changes.head();
    if (epoch !== this.#view.epoch) throw new OtherDatabaseError();
    while (this.end < written) {
      signal.throwIfAborted();
      const page = await changes.read({ after: this.end, limit: CHANGES_AT_ONCE });
      assertWhole(page, epoch, this.end);
      for (const change of page.changes) {
        changed.set(change.userId, change);
        const at = placeOf((change.after ?? change.before) as User, BY_CREATION);
        if (sentUpTo && compare(at, sentUpTo) <= 0) this.hasLater = true;
      }
      this.end = page.place;
      if (page.changes.length < CHANGES_AT_ONCE && this.end < written) await delay(SETTLE_MS, undefined, { signal });
    }
    return changed;
  }

  #apply(
    users: readonly User[],
    changed: ReadonlyMap<string, LoggedChange>,
    after: Cursor | undefined,
    upTo: Cursor | undefined,
  ): User[] {
    const page = users.filter(({ id }) => !changed.has(id));
    for (const { after: user } of changed.values()) {
      if (!user || !this.#view.matches(user)) continue;
      const at = placeOf(user, BY_CREATION);
      if ((!after || compare(at, after) > 0) && (!upTo || compare(at, upTo) <= 0)) page.push(user);
    }
    return page.sort((a, b) => compare(placeOf(a, BY_CREATION), placeOf(b, BY_CREATION)));
  }
}

/** @throws ChangesTrimmedError if the changes after a place are not all kept. */
export function assertKept(place: ChangePlace, keptBehind: ChangePlace): void {
  if (keptBehind > place) throw new ChangesTrimmedError();
}

/** Compares places in the order of creation. */
function compare(a: Cursor, b: Cursor): number {
  if (a.value !== b.value) return a.value < b.value ? -1 : 1;
  if (a.id === b.id) return 0;
  return a.id < b.id ? -1 : 1;
}
