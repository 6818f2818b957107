export { type App, type AppOptions, createApp, type ListeningAddress } from "./app.ts";
export type { Principal } from "./domain/principal.ts";
export { openSqliteUserRepository, type SqliteOptions } from "./repository/sqlite-user-repository.ts";
export type { UserRepository } from "./repository/user-repository.ts";
export {
  createTokenVerifier,
  type MintOptions,
  mintToken,
  type TokenVerifier,
  type TokenVerifierOptions,
} from "./rpc/auth/token-verifier.ts";
export { principalKey } from "./rpc/call.ts";
