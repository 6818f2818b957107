export { type NewUser, RollcallClient, type UserChanges, type UserQuery } from "./client.ts";
export { createRollcallClient, type RollcallClientOptions } from "./create-client.ts";
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
export { type AuthOptions, createAuthInterceptor, type GetToken, type TokenRequest } from "./interceptors/auth.ts";
export { createLoggingInterceptor, type LoggingOptions } from "./interceptors/logging.ts";
export { createRequestIdInterceptor, type RequestIdOptions } from "./interceptors/request-id.ts";
export { createRetryInterceptor } from "./interceptors/retry.ts";
export { createTracingInterceptor, type TracedCall, type TraceHook } from "./interceptors/tracing.ts";
export { TOKEN_FAULT, toBearerToken, withoutTokens } from "./internal/bearer-token.ts";
export { ForeignAnswerError, findForeignAnswer } from "./internal/foreign-answer.ts";
export type { Logger } from "./internal/logger.ts";
export { findCause, RequestNotSentError } from "./internal/not-sent.ts";
export { randomId } from "./internal/random-id.ts";
export { type CommonClientOptions, MAX_TIMEOUT_MS } from "./options.ts";
export type { RetryBudgetOptions, RetryEvent, RetryOptions } from "./retry/policy.ts";
export { type Chat, openChat } from "./streams/chat.ts";
export { type ResumeOptions, resumeStream } from "./streams/resume.ts";
export { createSha256 } from "./streams/sha256.ts";
export {
  type Sha256,
  type UploadOptions,
  type UploadProgress,
  type UploadReceipt,
  type UploadSource,
  upload,
} from "./streams/upload.ts";
export { type OpenWatch, type UserEvent, type WatchOptions, type WatchState, watchUsers } from "./streams/watch.ts";
export { type BrowserTransportOptions, createBrowserTransport } from "./transports/browser.ts";
export { createFetchTransport, type FetchTransportOptions } from "./transports/fetch.ts";
export { type FieldViolation, violationsOf } from "./violations.ts";
