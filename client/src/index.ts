export type { CallOptions } from "./call-options.ts";
export { createRollcall, type RollcallOptions } from "./create-rollcall.ts";
export {
  ChangesGoneError,
  ChecksumMismatchError,
  EmailTakenError,
  OutcomeUnknownError,
  RollcallError,
  StaleUserError,
  toRollcallError,
  UnauthorizedError,
  UserNotFoundError,
  ValidationError,
} from "./errors.ts";
export { type AuthOptions, createAuthInterceptor } from "./interceptors/auth.ts";
export { createLoggingInterceptor, type LoggingOptions } from "./interceptors/logging.ts";
export { createRequestIdInterceptor, type RequestIdOptions } from "./interceptors/request-id.ts";
export { createRetryInterceptor } from "./interceptors/retry.ts";
export { createTracingInterceptor, type TracedCall, type TraceHook } from "./interceptors/tracing.ts";
export { TOKEN_FAULT, toBearerToken, withoutTokens } from "./internal/bearer-token.ts";
export { ForeignAnswerError, findForeignAnswer } from "./internal/foreign-answer.ts";
export type { Logger } from "./internal/logger.ts";
export { findCause, RequestNotSentError } from "./internal/not-sent.ts";
export { randomId } from "./internal/random-id.ts";
export type { GetToken, TokenRequest } from "./internal/token-source.ts";
export type { CommonOptions } from "./options.ts";
export { preloadStreams } from "./parts.ts";
export type { RetryBudgetOptions, RetryEvent, RetryOptions } from "./retry/policy.ts";
export type { Rollcall } from "./rollcall.ts";
export type { Chat } from "./streams/chat.ts";
export { type ResumeOptions, resumeStream } from "./streams/resume.ts";
export type { UploadOptions, UploadProgress, UploadReceipt, UploadSource } from "./streams/upload.ts";
export type { UserEvent, WatchOptions, WatchQuery, WatchState } from "./streams/watch.ts";
export type { Streams } from "./streams.ts";
export { createFetchTransport, type FetchTransportOptions } from "./transports/fetch.ts";
export { MAX_TIMEOUT_MS } from "./transports/timeout.ts";
export type { HistoryQuery, NewUser, UserChanges, UserQuery, Users, UserWriteOptions } from "./users.ts";
export { type FieldViolation, violationsOf } from "./violations.ts";
