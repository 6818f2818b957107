import type { ChangePlace, LoggedChange } from "../domain/logged-change.ts";

/** Where the log stands at one moment. */
export interface ChangeLogState {
  /** Random text that no other database has. It changes when the order of changes breaks off, as with a restored backup. */
  readonly epoch: string;
  /** Changes behind this place are kept. Those up to it may have been trimmed. */
  readonly keptBehind: ChangePlace;
}

export interface ChangeLogHead extends ChangeLogState {
  /** Place to begin at for changes from now on. Every change that is not committed yet will have a place behind it. */
  readonly settled: ChangePlace;
  /** Every change that was committed before the call has a place up to this one. */
  readonly written: ChangePlace;
}

export interface ChangePage extends ChangeLogState {
  /** In their order. Void if `keptBehind` is behind the place that was asked for. */
  readonly changes: readonly LoggedChange[];
  /** Place up to which the log was read. */
  readonly place: ChangePlace;
}

export interface ReadOptions {
  /** Place of this database to read behind. */
  readonly after: ChangePlace;
  readonly limit: number;
}

export interface ChangeHistory extends ChangeLogState {
  /** The latest first. */
  readonly changes: readonly LoggedChange[];
}

export interface HistoryOptions {
  readonly userId: string;
  /** Place to read ahead of; undefined begins with the latest change. */
  readonly before?: ChangePlace | undefined;
  readonly limit: number;
}

export interface TrimOptions {
  /** Changes from before this time are removed. */
  readonly notBeforeMs: number;
  /** Greatest number of changes that are kept. */
  readonly maxCount: number;
  /** Most changes that are removed at once. */
  readonly limit: number;
}

/** A transaction that holds up all changes of later ones: until it ends, it may add some ahead of them. */
export interface OpenTransaction {
  /** Its number in the database. */
  readonly id: string;
  /** Process of the database's server that runs it; undefined for one that was prepared. */
  readonly pid: number | undefined;
  /** Name that the program gave its connection, or by which the transaction was prepared. */
  readonly name: string;
  /** Undefined where the database does not tell, since it is another user's. */
  readonly ageMs: number | undefined;
}

export interface UnreadChanges {
  /** Time of the oldest one, in milliseconds since the Unix epoch. */
  readonly sinceMs: number;
  /** Undefined if the changes can be read. */
  readonly heldUpBy: OpenTransaction | undefined;
}

/**
 * All changes of users, each written in the transaction that made it. All promises reject with {@link
 * DatabaseUnavailableError} while the database can't be used.
 */
export interface ChangeLog {
  /** Time between two looks for changes that nobody has reported, in milliseconds. */
  readonly pollIntervalMs: number;
  head(): Promise<ChangeLogHead>;
  /** Returns the changes behind a place. Whatever commits later has a place behind the page's. */
  read(options: ReadOptions): Promise<ChangePage>;
  /**
   * Returns what is known of committed changes behind a place, or undefined if there are none.
   *
   * @param after Undefined for the place up to which changes can be read.
   */
  unread(after: ChangePlace | undefined): Promise<UnreadChanges | undefined>;
  /** Returns changes of one user. */
  history(options: HistoryOptions): Promise<ChangeHistory>;
  /** Removes the oldest changes that need not be kept. Returns how many. */
  trim(options: TrimOptions): Promise<number>;
  /**
   * Calls back soon after changes were committed. That is a hint alone: changes of other processes, and those while the
   * database was away, may come without one.
   *
   * @returns A function that ends the calls.
   */
  onCommit(wake: () => void): () => void;
}
