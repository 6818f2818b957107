/**
 * Rollcall with the whole chain of main.ts, but with long server streams without pauses. By default, the service's
 * results are a tenth of a second apart.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createApp } from "../../server/src/app.ts";
import { parseConfig } from "../../server/src/config.ts";
import { openUserRepository } from "../../server/src/repository/open.ts";
import { createTokenVerifier } from "../../server/src/rpc/auth/token-verifier.ts";
import { createLogger } from "../../server/src/telemetry/logger.ts";
import { STREAM_MESSAGES } from "./shared/settings.ts";

const rootDir = join(import.meta.dirname, "../..");
const config = parseConfig(process.env, { rootDir, readFile: (path) => readFileSync(path, "utf8") });
const { keys, issuer, audience } = config.auth;
if (!keys) throw new Error("AUTH_SECRET is not set: contestants are started by pnpm bench");
const app = await createApp({
  ...config,
  auth: createTokenVerifier({ keys, issuer, audience }),
  repository: await openUserRepository(config.database, {
    maxConnections: config.databaseConnections,
    timeoutMs: config.databaseTimeoutMs,
  }),
  streams: { maxUploadBytes: config.maxUploadBytes, resultCount: STREAM_MESSAGES, resultIntervalMs: 0 },
  logger: createLogger(config.logLevel, process.stdout),
});
await app.listen();
