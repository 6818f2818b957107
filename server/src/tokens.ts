/** Functions that sign tokens by a server's own settings: all that the command needs of this package. */

export { ConfigError } from "@rollcall/shared/settings/config-error";
export { DevelopmentKeyError, loadDevelopmentKey } from "@rollcall/shared/settings/development-key";
export { readEnvFile } from "@rollcall/shared/settings/env-file";
export { mintTokenBySettings, type TokenRequest } from "./commands/mint-token.ts";
export { CommandUsageError } from "./commands/usage-error.ts";
