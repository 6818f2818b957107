/** The `rollcall-server` command; the only place of this package that uses `process`. */
import cluster from "node:cluster";
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { ConfigError } from "@rollcall/shared/settings/config-error";
import { DevelopmentKeyError, loadDevelopmentKey } from "@rollcall/shared/settings/development-key";
import { readEnvFile } from "@rollcall/shared/settings/env-file";
import { mintToken } from "@rollcall/shared/settings/mint-token";
import packageJson from "../package.json" with { type: "json" };
import { createApp } from "./app.ts";
import { parseCommand, USAGE } from "./commands/parse-command.ts";
import { runCommand } from "./commands/run-command.ts";
import { CommandUsageError } from "./commands/usage-error.ts";
import { parseConfig, parseTlsSettings } from "./config.ts";
import { DatabaseOpenError } from "./repository/database-open.ts";
import { openUserRepository } from "./repository/open.ts";
import { describeOpenFile } from "./repository/sqlite/file-access.ts";
import { SCOPES } from "./rpc/auth/permissions.ts";
import { createTokenVerifier } from "./rpc/auth/token-verifier.ts";
import { createLineBatch } from "./telemetry/line-batch.ts";
import { createLogger } from "./telemetry/logger.ts";
import { watchTlsFiles } from "./tls-files.ts";
import { ListenError } from "./transport/port/listen-error.ts";
import { welcome } from "./welcome.ts";
import { createMetricsExchange } from "./workers/exchange-metrics.ts";
import { reservePort } from "./workers/reserve-port.ts";
import { SERVING, superviseWorkers } from "./workers/supervise-workers.ts";

const DEVELOPMENT_TOKEN_TTL_SECONDS = 7 * 24 * 60 * 60;

/**
 * Folder of `.env` and `data`. It is the repository's or the release's folder, and the same from `server/src` and
 * `server/dist`. An installed package uses the folder where it is started.
 */
const rootDir = /[/\\]node_modules[/\\]/.test(import.meta.dirname)
  ? process.cwd()
  : resolve(import.meta.dirname, "../..");

/** Ends the process with exit code 2 if `read` finds a wrong argument or setting. */
function orExit<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof CommandUsageError) process.stderr.write(`rollcall-server: ${error.message}\n\n${USAGE}`);
    else if (error instanceof ConfigError) process.stderr.write(`${error.message}\n`);
    else throw error;
    process.exit(2);
  }
}

/**
 * Sets the variables of `.env` in the environment itself, since libraries and Node.js read variables of their own.
 * Returns their names.
 */
function loadEnvFile(): string[] {
  const inFile = readEnvFile(join(rootDir, ".env"));
  Object.assign(process.env, { ...inFile, ...process.env });
  return Object.keys(inFile);
}

const command = orExit(() => parseCommand(process.argv.slice(2)));
if (command.name === "help" || command.name === "version") {
  process.stdout.write(command.name === "help" ? USAGE : `${packageJson.version}\n`);
  process.exit(0);
}
const namesInFile = orExit(loadEnvFile);
const sources = { rootDir, readFile: (path: string) => readFileSync(path, "utf8") };
if (command.name !== "serve") {
  const controller = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => controller.abort());
  const { stdout, stderr, env } = process;
  const { signal } = controller;
  process.exit(
    await runCommand(command, { stdout, stderr, env, signal, ...sources, namesInFile, workingDir: process.cwd() }),
  );
}

const config = orExit(() => {
  const parsed = parseConfig(process.env, sources, namesInFile);
  if (parsed.workers === 1 || process.platform === "linux") return parsed;
  throw new ConfigError(["WORKERS: must be 1 on this system; only Linux spreads connections among processes"]);
});
// A log whose reader goes away must not end the server.
process.stdout.on("error", () => {});
const logOutput = createLineBatch(process.stdout);
process.on("exit", () => logOutput.flush());
const logger = createLogger(config.logLevel, logOutput);
// Node.js prints its warnings as text unless they are handled here.
process.removeAllListeners("warning");
process.on("warning", (warning) => logger.warn({ err: warning }, "warning"));
const die = (message: string) => (error: unknown) => {
  logger.fatal({ err: error }, message);
  process.exit(1);
};
process.on("uncaughtException", die("uncaught exception"));
process.on("unhandledRejection", die("unhandled rejection"));

/** Reads certificates again. It does nothing before the server has read them first. */
let reload = () => {};
// A terminal that closes sends SIGHUP too; there the signal has to end the process.
if (!process.stdout.isTTY) process.on("SIGHUP", () => reload());

// Workers run this program too, including the rest of this file.
if (config.workers > 1 && cluster.isPrimary) process.exit(await supervise());

async function supervise(): Promise<number> {
  const { workers, host, shutdownDelayMs, shutdownGraceMs } = config;
  try {
    const env = { PORT: String(await reservePort(host, config.port)) };
    const stopTimeoutMs = shutdownDelayMs + shutdownGraceMs;
    const supervisor = superviseWorkers({
      ...{ workers, env, stopTimeoutMs, logger },
      output: logOutput,
      errorOutput: process.stderr,
    });
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, supervisor.stop);
    reload = supervisor.reload;
    return await supervisor.ended;
  } catch (error) {
    if (!(error instanceof ListenError)) throw error;
    logger.fatal(`can't start: ${error.message}`);
    return 1;
  }
}

/**
 * Returns the key that signs development tokens. With a database in memory the key is lost at the end, as the users
 * are.
 */
function developmentKey(): Uint8Array {
  const path = config.developmentKeyPath;
  if (path === undefined) return randomBytes(32);
  const key = loadDevelopmentKey(path);
  const openAccess = describeOpenFile(path);
  if (openAccess) logger.warn(openAccess);
  return key;
}

try {
  const { issuer, audience } = config.auth;
  const repository = await openUserRepository(config.database, {
    maxConnections: config.databaseConnections,
    timeoutMs: config.databaseTimeoutMs,
    onEqualEmails: (emails) => logger.warn(emails, "e-mails equal to those of other users"),
    onNotice: ({ level, message }) => logger[level](message),
  });
  const keys = config.auth.keys ?? { secret: developmentKey() };
  const webRoot = [join(import.meta.dirname, "web"), join(rootDir, "web/dist")].find((folder) => existsSync(folder));
  const app = await createApp({
    ...config,
    reusePort: cluster.isWorker,
    metricsExchange: cluster.worker && createMetricsExchange(cluster.worker),
    auth: createTokenVerifier({ keys, issuer, audience, logger }),
    repository,
    streams: { maxUploadBytes: config.maxUploadBytes },
    webRoot,
    logger,
    logOutput,
  });

  const tlsFiles =
    config.tls &&
    watchTlsFiles({
      files: config.tls.files,
      current: config.tls,
      load: () => parseTlsSettings(process.env, sources),
      apply: (tls) => app.replaceTls(tls),
      logger,
    });
  reload = () => {
    if (tlsFiles) tlsFiles.reload();
    else logger.info("SIGHUP: there are no certificates to read again");
  };

  let stopping = false;
  const stop = async (signal: NodeJS.Signals) => {
    // A terminal sends Ctrl-C to every process, and package runners pass it on once more.
    if (stopping) return;
    stopping = true;
    logger.info({ signal }, "draining");
    tlsFiles?.stop();
    await app.close();
    logger.info("stopped");
    process.exit(0);
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);

  const { url } = await app.listen();
  cluster.worker?.send(SERVING);
  const isFirst = (cluster.worker?.id ?? 1) === 1;
  if (isFirst && config.auth.keys === undefined && "secret" in keys) {
    const ttlSeconds = DEVELOPMENT_TOKEN_TTL_SECONDS;
    const token = await mintToken({ ...keys, subject: "developer", scopes: SCOPES, ttlSeconds, issuer, audience });
    const { certFile, clientCa } = config.tls ?? {};
    process.stdout.write(welcome({ url, token, certFile, asksForCertificates: clientCa !== undefined }));
  }
} catch (error) {
  if (error instanceof DatabaseOpenError || error instanceof DevelopmentKeyError || error instanceof ListenError) {
    logger.fatal(`can't start: ${error.message}`);
    process.exit(1);
  }
  die("can't start")(error);
}
