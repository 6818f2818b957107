import type { EqualEmails } from "./search-keys.ts";

/** A database can't be opened. The message says which one, the reason and what to do, without any password. */
export class DatabaseOpenError extends Error {
  override name = "DatabaseOpenError";
}

/** An event of the database, in words for the log. */
export interface DatabaseNotice {
  readonly level: "error" | "warn" | "info";
  readonly message: string;
}

/** Listeners for what an operator should know about the database. */
export interface OpenNotices {
  /** Called when users keep an old key of their e-mail, because older users' e-mails have become equal to theirs. */
  onEqualEmails?: ((emails: EqualEmails) => void) | undefined;
  /** Called when the database is lost, damaged or well again, and about risks to it. */
  onNotice?: ((notice: DatabaseNotice) => void) | undefined;
}
