import { BlockList } from "node:net";
import { ConfigError } from "@rollcall/shared/settings/config-error";
import { developmentKeyPath, isPostgresUrl } from "@rollcall/shared/settings/database-file";
import { createReader, type Env, type Reader } from "@rollcall/shared/settings/reader";
import { type AuthConfig, parseAuth } from "./config/auth.ts";
import { type DatabaseConfig, parseDatabaseUrl } from "./config/database-url.ts";
import { isLoopback, parseHost } from "./config/host.ts";
import { findMistyped } from "./config/mistyped.ts";
import { parseOrigins } from "./config/origins.ts";
import { type OtlpConfig, parseOtlp } from "./config/otlp.ts";
import { parseSignIn, type SignInOptions } from "./config/sign-in.ts";
import { type FileSources, parseTls, type TlsConfig } from "./config/tls.ts";
import { type ChangeRetentionOptions, type ConnectionLimits, settings } from "./limits.ts";
import { SCOPES } from "./rpc/auth/permissions.ts";
import { addToBlockList } from "./transport/port/addresses.ts";

/** Checked settings. Times are in milliseconds. */
export interface Config {
  readonly host: string;
  readonly port: number;
  readonly probePort: number | undefined;
  /** Processes that serve the port. */
  readonly workers: number;
  readonly database: DatabaseConfig;
  /** Most connections to PostgreSQL. */
  readonly databaseConnections: number;
  /** Longest time that a call waits for PostgreSQL. */
  readonly databaseTimeoutMs: number;
  /**
   * Absolute path of the development key, which a server without any other key makes. Undefined with a database in
   * memory.
   */
  readonly developmentKeyPath: string | undefined;
  readonly tls: TlsConfig | undefined;
  readonly auth: AuthConfig;
  readonly signIn: SignInOptions;
  readonly corsOrigins: readonly string[];
  readonly maxMessageBytes: number;
  readonly maxUploadBytes: number;
  readonly defaultTimeoutMs: number;
  readonly maxTimeoutMs: number;
  readonly maxCalls: number;
  readonly rateLimit: { readonly perSecond: number; readonly burst: number };
  readonly streamLimit: { readonly maxOpen: number; readonly messagesPerSecond: number };
  readonly shutdownDelayMs: number;
  readonly shutdownGraceMs: number;
  readonly limits: Pick<
    ConnectionLimits,
    "maxConnectionsPerAddress" | "maxConnectionAgeMs" | "trustedProxies" | "proxyProtocol"
  >;
  /** Callers that may read the contracts by reflection. */
  readonly reflection: "open" | "token" | "off";
  readonly changes: ChangeRetentionOptions;
  /** Whether everybody may read the description of the services. */
  readonly docs: boolean;
  readonly rpcEngine: "direct" | "stock";
  readonly metrics: "loopback" | "all" | "off";
  /** Undefined if nothing is exported. */
  readonly otlp: OtlpConfig | undefined;
  readonly logLevel: string;
}

const LOG_LEVELS = ["fatal", "error", "warn", "info", "debug", "trace", "silent"];
/**
 * Reads the settings from environment variables; an empty one counts as not set.
 *
 * @param namesInFile Names of the variables in `.env`. Nearly all of them are settings, so a name close to a setting's
 * is refused as a typo.
 *
 * @throws ConfigError
 */
export function parseConfig(env: Env, sources: FileSources, namesInFile: readonly string[] = []): Config {
  const problems: string[] = [];
  const read = createReader(env, problems);
  const host = parseHost(read, problems);
  const maxTimeoutMs = read.milliseconds("MAX_TIMEOUT_MS", settings.maxTimeoutMs);
  const port = read.integer("PORT", settings.port);
  const database = parseDatabaseUrl(read, sources, problems);
  const auth = parseAuth(read, problems);
  const config: Config = {
    host: host ?? "localhost",
    port,
    probePort: read.integer("PROBE_PORT", settings.probePort) || undefined,
    workers: read.integer("WORKERS", settings.workers),
    database,
    databaseConnections: read.integer("DATABASE_CONNECTIONS", settings.databaseConnections),
    databaseTimeoutMs: read.milliseconds("DATABASE_TIMEOUT_MS", settings.databaseTimeoutMs),
    developmentKeyPath: developmentKeyPath(database, sources.rootDir),
    tls: parseTls(read, { ...sources, scopes: SCOPES }, problems),
    auth,
    signIn: parseSignIn(read, { auth, scopes: SCOPES }, problems),
    corsOrigins: parseOrigins(read, problems),
    maxMessageBytes: read.bytes("MAX_MESSAGE_BYTES", settings.maxMessageBytes),
    maxUploadBytes: read.bytes("MAX_UPLOAD_BYTES", settings.maxUploadBytes),
    defaultTimeoutMs: read.milliseconds("DEFAULT_TIMEOUT_MS", settings.defaultTimeoutMs),
    maxTimeoutMs,
    maxCalls: read.integer("MAX_CALLS", settings.maxCalls),
    rateLimit: {
      perSecond: read.integer("RATE_LIMIT_PER_SECOND", settings.rateLimitPerSecond),
      burst: read.integer("RATE_LIMIT_BURST", settings.rateLimitBurst),
    },
    streamLimit: {
      maxOpen: read.integer("MAX_STREAMS_PER_PRINCIPAL", settings.maxStreamsPerPrincipal),
      messagesPerSecond: read.integer("STREAM_MESSAGES_PER_SECOND", settings.streamMessagesPerSecond),
    },
    shutdownDelayMs: read.milliseconds("SHUTDOWN_DELAY_MS", settings.shutdownDelayMs),
    shutdownGraceMs: read.milliseconds("SHUTDOWN_GRACE_MS", settings.shutdownGraceMs),
    limits: {
      maxConnectionsPerAddress: read.integer("MAX_CONNECTIONS_PER_ADDRESS", settings.maxConnectionsPerAddress),
      maxConnectionAgeMs: read.milliseconds("MAX_CONNECTION_AGE_MS", settings.maxConnectionAgeMs),
      trustedProxies: parseTrustedProxies(read, problems),
      proxyProtocol: read.choice("PROXY_PROTOCOL", ["true", "false"], "false") === "true",
    },
    reflection: parseReflection(read, host),
    changes: {
      retentionMs: read.milliseconds("CHANGES_RETENTION", settings.changesRetention),
      maxCount: read.integer("CHANGES_MAX_COUNT", settings.changesMaxCount),
    },
    docs: readSwitch(read, "DOCS", isLocal(host)),
    rpcEngine: read.choice("RPC_ENGINE", ["direct", "stock"], "direct") === "stock" ? "stock" : "direct",
    metrics: read.choice("METRICS", ["loopback", "all", "off"], "loopback") as Config["metrics"],
    otlp: parseOtlp(read, problems),
    logLevel: read.choice("LOG_LEVEL", LOG_LEVELS, "info"),
  };
  if (config.defaultTimeoutMs > maxTimeoutMs) problems.push("DEFAULT_TIMEOUT_MS: must not exceed MAX_TIMEOUT_MS");

  if (config.limits.proxyProtocol && !read.text("TRUSTED_PROXIES"))
    problems.push("PROXY_PROTOCOL: needs TRUSTED_PROXIES, the addresses that it is spoken from");
  if (config.probePort === config.port) problems.push("PROBE_PORT: must be another than PORT");
  if (config.rateLimit.burst !== 0 && config.rateLimit.perSecond === 0)
    problems.push("RATE_LIMIT_BURST: needs RATE_LIMIT_PER_SECOND");
  // A process with SQLite groups its own writes into commits and keeps users in memory. A second one would wait for
  // each of those commits, and would not see the changes.
  if (config.workers > 1 && !isPostgresUrl(read.text("DATABASE_URL") ?? "")) {
    problems.push("WORKERS: must be 1 with SQLite, which has one writer; several need PostgreSQL");
  }

  const allowsPlaintext = read.choice("ALLOW_PLAINTEXT", ["true", "false"], "false") === "true";
  if (host !== undefined && !isLoopback(host)) {
    if (!read.text("AUTH_SECRET") && !read.text("AUTH_JWKS_URL")) {
      problems.push(`AUTH_SECRET: must be set, or AUTH_JWKS_URL, when HOST is ${host}`);
    }
    if (!read.text("TLS_CERT_FILE") && !allowsPlaintext) {
      problems.push(`TLS_CERT_FILE: must be set when HOST is ${host}, or ALLOW_PLAINTEXT=true where a proxy ends TLS`);
    }
  }
  for (const name of namesInFile) {
    const meant = findMistyped(name, read.names);
    if (meant !== undefined) problems.push(`${name}: is no setting; did you mean ${meant}?`);
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return Object.freeze(config);
}

/**
 * Reads only the settings of TLS and their files, as they are now. Faults in other settings do not matter.
 *
 * @throws ConfigError
 */
export function parseTlsSettings(env: Env, sources: FileSources): TlsConfig {
  const problems: string[] = [];
  const tls = parseTls(createReader(env, problems), { ...sources, scopes: SCOPES }, problems);
  if (!tls || problems.length > 0) throw new ConfigError(problems);
  return tls;
}

/**
 * Reads only the database's settings. Faults in other settings do not matter.
 *
 * @throws ConfigError
 */
export function parseDatabaseSetting(env: Env, sources: FileSources): DatabaseConfig {
  const problems: string[] = [];
  const database = parseDatabaseUrl(createReader(env, problems), sources, problems);
  if (problems.length > 0) throw new ConfigError(problems);
  return database;
}

/**
 * Reads the database that an argument of a command names: by a URL in the form of DATABASE_URL, or by a variable that
 * holds one.
 *
 * @param name Name of the argument, for the problem.
 *
 * @throws ConfigError
 */
export function parseDatabaseArgument(name: string, argument: string, env: Env, sources: FileSources): DatabaseConfig {
  const isVariable = /^[A-Z][A-Z\d_]*$/.test(argument);
  const url = isVariable ? env[argument] : argument;
  if (!url) throw new ConfigError([`${name}: the variable ${argument} is not set`]);
  try {
    return parseDatabaseSetting({ DATABASE_URL: url }, sources);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new ConfigError(error.problems.map((problem) => problem.replace(/^DATABASE_URL/, name)));
  }
}

/** On loopback, anyone who can call may see the contracts. Elsewhere a token shows that the caller is known. */
function parseReflection(read: Reader, host: string | undefined): Config["reflection"] {
  if (!readSwitch(read, "REFLECTION", isLocal(host))) return "off";
  return isLocal(host) ? "open" : "token";
}

function isLocal(host: string | undefined): boolean {
  return host !== undefined && isLoopback(host);
}

function readSwitch(read: Reader, name: string, byDefault: boolean): boolean {
  return ["on", "true"].includes(read.choice(name, ["on", "off", "true", "false"], byDefault ? "on" : "off"));
}

function parseTrustedProxies(read: Reader, problems: string[]): BlockList {
  const proxies = new BlockList();
  for (const entry of read.list("TRUSTED_PROXIES")) {
    if (!addToBlockList(proxies, entry)) {
      problems.push(`TRUSTED_PROXIES: ${JSON.stringify(entry)} is not an address or network, such as 10.0.0.0/8`);
    }
  }
  return proxies;
}
