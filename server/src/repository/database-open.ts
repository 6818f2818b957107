import type { EqualEmails } from "./search-keys.ts";

/** A database can't be opened. The message names the database, the reason and the remedy, but no password. */
export class DatabaseOpenError extends Error {
  override name = "DatabaseOpenError";
}

/** An event of the database, in words for the log. */
export interface DatabaseNotice {
  readonly level: "error" | "warn" | "info";
  readonly message: string;
}

/** Listeners for events of the database that concern an operator. */
export interface OpenNotices {
  /** Called when older users' e-mails have become equal, so that some users keep an old key for theirs. */
  onEqualEmails?: ((emails: EqualEmails) => void) | undefined;
  /** Called when the database is lost, damaged or usable again, and about risks to it. */
  onNotice?: ((notice: DatabaseNotice) => void) | undefined;
}
