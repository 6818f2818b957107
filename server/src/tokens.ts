/** What signs tokens by a server's own settings: all that the command needs of this package. */
export { parseTokenSettings } from "./config/auth.ts";
export { ConfigError } from "./config/config-error.ts";
export { readEnvFile } from "./config/env-file.ts";
export { DevelopmentKeyError, loadDevelopmentKey } from "./development-key.ts";
export { type MintOptions, mintToken } from "./rpc/auth/mint-token.ts";
export { SCOPES } from "./rpc/auth/permissions.ts";
