export { methodName } from "@rollcall/shared/method-name";
export { type MintOptions, mintToken } from "@rollcall/shared/settings/mint-token";
export { createApp } from "./app.ts";
export type { App, AppOptions, ListeningAddress } from "./app-options.ts";
export { DatabaseUnavailableError, InvalidArgumentError } from "./domain/errors.ts";
export type { Principal } from "./domain/principal.ts";
export type { ConnectionLimits, GrpcWebSocketsLimits, OpenStreamLimits, RequestTimeouts } from "./limits.ts";
export type { DatabaseNotice } from "./repository/database-open.ts";
export { DatabaseOpenError } from "./repository/database-open.ts";
export type { OpenPostgresOptions, PostgresAddress, PostgresTls } from "./repository/postgres/options.ts";
export { openPostgresUserRepository } from "./repository/postgres/user-repository.ts";
export { openSqliteUserRepository, type SqliteOptions } from "./repository/sqlite/user-repository.ts";
export type { UserRepository } from "./repository/user-repository.ts";
export { type Permission, type Permissions, SCOPES } from "./rpc/auth/permissions.ts";
export { KeysUnavailableError } from "./rpc/auth/provider-keys.ts";
export {
  createTokenVerifier,
  ExpiredTokenError,
  InvalidTokenError,
  type TokenKeys,
  type TokenVerifier,
  type TokenVerifierOptions,
} from "./rpc/auth/token-verifier.ts";
export { principalKey } from "./rpc/context.ts";
export type { StreamsOptions } from "./service/streams.ts";
export { createLogger } from "./telemetry/logger.ts";
export type { SignInOptions } from "./transport/fastify/serve-web-app.ts";
export { ListenError } from "./transport/port/listen-error.ts";
export type { TlsOptions } from "./transport/port/servers.ts";
