/** Functions that sign tokens by a server's own settings: all that the command needs of this package. */
export { mintTokenBySettings, type TokenRequest } from "./commands/mint-token.ts";
export { CommandUsageError } from "./commands/usage-error.ts";
export { ConfigError } from "./config/config-error.ts";
export { readEnvFile } from "./config/env-file.ts";
export { DevelopmentKeyError, loadDevelopmentKey } from "./development-key.ts";
