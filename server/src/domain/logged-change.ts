import type { User } from "./user.ts";

/**
 * Place in the order of all changes. Of two places of a database the later one is the greater text, by code units. Each
 * change has one, and the places between two changes count too.
 */
export type ChangePlace = string;

/** Author of a change, and its time. */
export interface Author {
  /** Subject of the caller's token; empty where nobody is signed in. */
  readonly subject: string;
  readonly atMs: number;
}

/** A change as the log keeps it. */
export interface LoggedChange {
  readonly place: ChangePlace;
  readonly userId: string;
  readonly author: Author;
  /** Undefined for a user that was created. */
  readonly before: User | undefined;
  /** Undefined for a user that was deleted. */
  readonly after: User | undefined;
}
