import type { User } from "./user.ts";

/**
 * Position in the order of all changes. Positions of one database compare as texts, by code units: the later is the
 * greater. Each change has one; positions between two changes are valid too.
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
