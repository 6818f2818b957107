/** One fault of a request. */
export interface FieldViolation {
  /** Path of the field, by its name in the contract; empty for the whole message. */
  readonly field: string;
  readonly description: string;
}

/** Refusal that the caller can act on. Its message goes to the caller; any other error stays in the log. */
export abstract class DomainError extends Error {
  override get name(): string {
    return this.constructor.name;
  }
}

export class UserNotFoundError extends DomainError {
  readonly userId: string;
  constructor(userId: string) {
    super("user not found");
    this.userId = userId;
  }
}

export class EmailTakenError extends DomainError {
  constructor() {
    super("email already in use");
  }
}

/** The request's etag is no longer the user's. */
export class StaleUserError extends DomainError {
  readonly userId: string;
  constructor(userId: string) {
    super("user was changed by someone else");
    this.userId = userId;
  }
}

export class InvalidArgumentError extends DomainError {
  readonly violations: readonly FieldViolation[];
  constructor(message: string, violations: readonly FieldViolation[]) {
    super(message);
    this.violations = violations;
  }
}

export class UploadTooLargeError extends DomainError {
  constructor(maxBytes: number) {
    super(`upload is larger than ${maxBytes} bytes`);
  }
}

/** The changes after a place are not available: the watcher has to begin anew. */
export abstract class ChangesGoneError extends DomainError {}

/** The changes after a resume token are no longer kept. */
export class ChangesTrimmedError extends ChangesGoneError {
  constructor() {
    super("resume token is too old: begin without one");
  }
}

/** A resume token is of another database, or of this one before a backup was restored. */
export class OtherDatabaseError extends ChangesGoneError {
  constructor() {
    super("resume token is of another database: begin without one");
  }
}

/** A watcher has fallen too far behind. */
export class SlowWatcherError extends DomainError {
  constructor() {
    super("changes were read too slowly: go on with the last resume token");
  }
}

/** The server stops; another server, or the next process, can continue. */
export class StoppingError extends DomainError {
  constructor() {
    super("server is shutting down");
  }
}

/** Reasons why a database can't serve, as the readiness probe names them. */
export type DatabaseFault = "database-unavailable" | "database-unwritable" | "database-missing" | "database-corrupt";

/** The database can't be reached or is busy; the same call can succeed later. */
export class DatabaseUnavailableError extends DomainError {
  readonly fault: DatabaseFault = "database-unavailable";
  constructor(options?: ErrorOptions) {
    super("database unavailable", options);
  }
}

/**
 * The database or its connection failed during a commit, and it was not known in time whether the write succeeded. It
 * may be stored or not, but will not be stored later. With SQLite it may appear after a crash.
 */
export class OutcomeUnknownError extends DatabaseUnavailableError {
  override message = "the outcome of this write is unknown";
}

/** The database answers but can't write, for example because the disk is full. */
export class DatabaseUnwritableError extends DatabaseUnavailableError {
  override readonly fault = "database-unwritable";
}

/** The files at the database's paths are not the open ones: they were removed, renamed or replaced. */
export class DatabaseMissingError extends DatabaseUnavailableError {
  override readonly fault = "database-missing";
}

/** The contents of the database can't be trusted any more. */
export class DatabaseCorruptError extends DatabaseUnavailableError {
  override readonly fault = "database-corrupt";
}
