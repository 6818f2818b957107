import { Code, ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema, ResourceInfoSchema } from "@rollcall/gen/google/rpc/error_details";
import type { ErrorReason } from "@rollcall/gen/rollcall/errors/v1/error_reason";
import { findForeignAnswer } from "./internal/foreign-answer.ts";
import { type FieldViolation, violationsOf } from "./violations.ts";

/** `domain` of every ErrorInfo that Rollcall sends. */
const ERROR_DOMAIN = "rollcall";

/** Name of a reason in an ErrorInfo: without the prefix that it has in the contract. */
type ReasonName = keyof typeof ErrorReason;

const GONE_REASONS: readonly ReasonName[] = ["RESUME_TOKEN_TOO_OLD", "RESUME_TOKEN_OF_OTHER_DATABASE"];

/** Refusal by the server that a caller can act on; `cause` is the original error. */
export abstract class RollcallError extends Error {
  // Each class states its name, since a minifier renames the classes themselves.
  abstract override readonly name: string;
  override readonly cause: ConnectError;
  constructor(cause: ConnectError) {
    super(cause.rawMessage, { cause });
    this.cause = cause;
  }
  get code(): Code {
    return this.cause.code;
  }
}

export class UserNotFoundError extends RollcallError {
  override readonly name = "UserNotFoundError";
  readonly userId: string;
  constructor(cause: ConnectError, userId: string) {
    super(cause);
    this.userId = userId;
  }
}

/** The request breaks the contract's rules. */
export class ValidationError extends RollcallError {
  override readonly name = "ValidationError";
  /** All faults of the request; empty if the server does not list them. */
  readonly violations: readonly FieldViolation[];
  constructor(cause: ConnectError, violations: readonly FieldViolation[]) {
    super(cause);
    this.violations = violations;
  }
}

/** There is no token, or the server does not accept it. */
export class UnauthorizedError extends RollcallError {
  override readonly name = "UnauthorizedError";
}

/** Another user has the e-mail. */
export class EmailTakenError extends RollcallError {
  override readonly name = "EmailTakenError";
}

/** The user was changed since the etag was read. */
export class StaleUserError extends RollcallError {
  override readonly name = "StaleUserError";
  readonly userId: string;
  constructor(cause: ConnectError, userId: string) {
    super(cause);
    this.userId = userId;
  }
}

/**
 * The server lost its database while that committed a write. The write may be stored or not, but will not be stored
 * later. Only a create with a `request_id` was repeated. Read the user again, or repeat an update with its etag.
 */
export class OutcomeUnknownError extends RollcallError {
  override readonly name = "OutcomeUnknownError";
}

/**
 * The changes after a resume token are no longer kept, or it is of another database. The watch has to begin without it.
 */
export class ChangesGoneError extends RollcallError {
  override readonly name = "ChangesGoneError";
}

/** The bytes that the server received are not those that were sent. */
export class ChecksumMismatchError extends Error {
  override name = "ChecksumMismatchError";
  /** SHA-256 of the bytes sent, in lower-case hexadecimal. */
  readonly sent: string;
  /** SHA-256 of the bytes that the server received. */
  readonly received: string;
  constructor(sent: string, received: string) {
    super(`the server received other bytes than were sent: SHA-256 ${received} instead of ${sent}`);
    this.sent = sent;
    this.received = received;
  }
}

/**
 * Returns the domain error that a call's error stands for, or the error itself as a ConnectError if there is none.
 * Works with the error of any Connect client.
 */
export function toRollcallError(error: unknown): RollcallError | ConnectError {
  if (error instanceof RollcallError) return error;
  const cause = ConnectError.from(error);
  // Another server's answer is not a refusal by this one, whatever its code.
  if (findForeignAnswer(cause)) return cause;
  switch (cause.code) {
    case Code.Unauthenticated:
      return new UnauthorizedError(cause);
    case Code.InvalidArgument:
      return isBrokenResponse(cause) ? cause : new ValidationError(cause, violationsOf(cause));
    case Code.NotFound: {
      const [resource] = cause.findDetails(ResourceInfoSchema);
      return resource ? new UserNotFoundError(cause, resource.resourceName) : cause;
    }
    case Code.AlreadyExists:
      return hasReason(cause, "EMAIL_TAKEN") ? new EmailTakenError(cause) : cause;
    case Code.Aborted: {
      const [resource] = cause.findDetails(ResourceInfoSchema);
      return hasReason(cause, "STALE_ETAG") ? new StaleUserError(cause, resource?.resourceName ?? "") : cause;
    }
    case Code.Unavailable:
      return hasReason(cause, "OUTCOME_UNKNOWN") ? new OutcomeUnknownError(cause) : cause;
    case Code.OutOfRange:
      return GONE_REASONS.some((reason) => hasReason(cause, reason)) ? new ChangesGoneError(cause) : cause;
    default:
      return cause;
  }
}

/**
 * Returns whether the error is one that Connect's own transports throw for a response that they can't decode. No server
 * has sent it.
 */
function isBrokenResponse({ isWireError, rawMessage }: ConnectError): boolean {
  return !isWireError && rawMessage.startsWith("protocol error: ");
}

function hasReason(error: ConnectError, expected: ReasonName): boolean {
  return error
    .findDetails(ErrorInfoSchema)
    .some(({ reason, domain }) => domain === ERROR_DOMAIN && reason === expected);
}
