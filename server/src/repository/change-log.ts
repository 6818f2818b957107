import type { ChangePlace, LoggedChange } from "../domain/logged-change.ts";

/** State of the log at one moment. */
export interface ChangeLogState {
  /**
   * Random text that no other database has. It changes when the order of changes is interrupted, as by a restored
   * backup.
   */
  readonly epoch: string;
  /** Changes after this place are kept. Those up to it may have been trimmed. */
  readonly keptBehind: ChangePlace;
}

export interface ChangeLogHead extends ChangeLogState {
  /** Place from which to follow new changes. Every change that is not committed yet will have a later place. */
  readonly settled: ChangePlace;
  /** Last place of the changes that were committed before the call; all of them are at or before it. */
  readonly written: ChangePlace;
}

export interface ChangePage extends ChangeLogState {
  /** In their order. Invalid if `keptBehind` is after the requested place. */
  readonly changes: readonly LoggedChange[];
  /** Place up to which the log was read. */
  readonly place: ChangePlace;
}

export interface ReadOptions {
  /** Place of this database; changes after it are read. */
  readonly after: ChangePlace;
  readonly limit: number;
}

export interface ChangeHistory extends ChangeLogState {
  /** The latest first. */
  readonly changes: readonly LoggedChange[];
}

export interface HistoryOptions {
  readonly userId: string;
  /** Place before which changes are read; undefined begins with the latest change. */
  readonly before?: ChangePlace | undefined;
  readonly limit: number;
}

export interface TrimOptions {
  /** Changes from before this time are removed. */
  readonly notBeforeMs: number;
  /** Most changes that are kept. */
  readonly maxCount: number;
  /** Most changes that are removed in one call. */
  readonly limit: number;
}

/** A transaction that holds up the changes of all later ones: until it ends, it may add changes before theirs. */
export interface OpenTransaction {
  /** Its number in the database. */
  readonly id: string;
  /** Server process that runs it; undefined for a prepared transaction. */
  readonly pid: number | undefined;
  /** Name that the program gave its connection, or that the transaction was prepared with. */
  readonly name: string;
  /** Undefined where the database does not show it, since the transaction is another user's. */
  readonly ageMs: number | undefined;
}

export interface UnreadChanges {
  /** Time of the oldest one, in milliseconds since the Unix epoch. */
  readonly sinceMs: number;
  /** Undefined if the changes can be read. */
  readonly heldUpBy: OpenTransaction | undefined;
}

/**
 * All changes of users. Each is written in the transaction that makes it. All promises reject with {@link
 * DatabaseUnavailableError} while the database can't be used.
 */
export interface ChangeLog {
  /** Interval at which to look for changes that were not reported, in milliseconds. */
  readonly pollIntervalMs: number;
  head(): Promise<ChangeLogHead>;
  /** Returns the changes after a place. Any later commit has a place after the page's. */
  read(options: ReadOptions): Promise<ChangePage>;
  /**
   * Returns facts about committed changes after a place; undefined if there are none.
   *
   * @param after Undefined for the place up to which changes can be read.
   */
  unread(after: ChangePlace | undefined): Promise<UnreadChanges | undefined>;
  /** Returns changes of one user. */
  history(options: HistoryOptions): Promise<ChangeHistory>;
  /** Removes the oldest changes that need not be kept. Returns their number. */
  trim(options: TrimOptions): Promise<number>;
  /**
   * Calls back soon after changes were committed. The call is only a hint: changes of other processes, and those made
   * while the database was unavailable, may come without one.
   *
   * @returns A function that ends the calls.
   */
  onCommit(wake: () => void): () => void;
}
