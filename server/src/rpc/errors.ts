import { Code, ConnectError } from "@connectrpc/connect";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  ResourceInfoSchema,
  RetryInfoSchema,
} from "@rollcall/gen/google/rpc/error_details";
import { ErrorReason, ErrorReasonSchema } from "@rollcall/gen/rollcall/errors/v1/error_reason";
import {
  ChangesTrimmedError,
  DatabaseUnavailableError,
  type DomainError,
  EmailTakenError,
  InvalidArgumentError,
  OtherDatabaseError,
  OutcomeUnknownError,
  SlowWatcherError,
  StaleUserError,
  StoppingError,
  UploadTooLargeError,
  UserNotFoundError,
} from "../domain/errors.ts";
import { canceled } from "./call-errors.ts";

type Detail = NonNullable<ConstructorParameters<typeof ConnectError>[3]>[number];

/** `domain` of every ErrorInfo. Reasons are unique within it. */
const ERROR_DOMAIN = "rollcall";
const USER_TYPE = "user.v1.User";

/** The only table from domain errors to codes and details. */
const table: readonly Row[] = [
  row(InvalidArgumentError, Code.InvalidArgument, ({ violations }) => [badRequest(violations)]),
  row(UserNotFoundError, Code.NotFound, ({ userId }) => [resourceInfo(userId)]),
  row(EmailTakenError, Code.AlreadyExists, () => [errorInfo(ErrorReason.EMAIL_TAKEN)]),
  row(StaleUserError, Code.Aborted, ({ userId }) => [errorInfo(ErrorReason.STALE_ETAG), resourceInfo(userId)]),
  row(UploadTooLargeError, Code.ResourceExhausted, () => [errorInfo(ErrorReason.UPLOAD_TOO_LARGE)]),
  row(OutcomeUnknownError, Code.Unavailable, () => [errorInfo(ErrorReason.OUTCOME_UNKNOWN), retryInfo(1)]),
  row(ChangesTrimmedError, Code.OutOfRange, () => [errorInfo(ErrorReason.RESUME_TOKEN_TOO_OLD)]),
  row(OtherDatabaseError, Code.OutOfRange, () => [errorInfo(ErrorReason.RESUME_TOKEN_OF_OTHER_DATABASE)]),
  row(SlowWatcherError, Code.ResourceExhausted, () => [errorInfo(ErrorReason.SLOW_WATCHER), retryInfo(1)]),
  row(StoppingError, Code.Unavailable, () => []),
  row(DatabaseUnavailableError, Code.Unavailable, () => [retryInfo(1)]),
];

interface Row {
  readonly type: abstract new (...args: never[]) => DomainError;
  readonly code: Code;
  details(error: DomainError): Detail[];
}

function row<E extends DomainError>(
  type: new (...args: never[]) => E,
  code: Code,
  details: (error: E) => Detail[],
): Row {
  return { type, code, details: (error) => details(error as E) };
}

/**
 * Returns the error to send for an error that a call threw; undefined for a fault that must stay hidden from the
 * caller.
 *
 * @param signal The call's signal. Its reason explains an AbortError.
 */
export function toConnectError(error: unknown, signal: AbortSignal): ConnectError | undefined {
  if (error instanceof ConnectError) return error;
  const entry = table.find(({ type }) => error instanceof type);
  if (entry) {
    const domainError = error as DomainError;
    return new ConnectError(domainError.message, entry.code, undefined, entry.details(domainError), error);
  }
  if (signal.aborted && error instanceof Error && error.name === "AbortError") {
    return signal.reason instanceof ConnectError ? signal.reason : canceled();
  }
  return undefined;
}

/** Creates a google.rpc.BadRequest detail of the violations. */
export function badRequest(violations: InvalidArgumentError["violations"]): Detail {
  return { desc: BadRequestSchema, value: { fieldViolations: [...violations] } };
}

/** Creates a google.rpc.RetryInfo detail, with the time to wait before the next try. */
export function retryInfo(seconds: number): Detail {
  const whole = Math.floor(seconds);
  const nanos = Math.round((seconds - whole) * 1e9);
  return { desc: RetryInfoSchema, value: { retryDelay: { seconds: BigInt(whole), nanos } } };
}

/** Creates a google.rpc.ErrorInfo detail. The reason is written without its prefix. */
function errorInfo(reason: ErrorReason): Detail {
  return { desc: ErrorInfoSchema, value: { reason: ErrorReasonSchema.value[reason]?.localName, domain: ERROR_DOMAIN } };
}

function resourceInfo(userId: string): Detail {
  return { desc: ResourceInfoSchema, value: { resourceType: USER_TYPE, resourceName: userId } };
}
