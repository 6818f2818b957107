import { readFileSync } from "node:fs";
import { BlockList } from "node:net";
import { join } from "node:path";
import { ConfigError } from "@rollcall/shared/settings/config-error";
import { parseEnvFile } from "@rollcall/shared/settings/env-file";
import { createCertificateAuthority } from "@rollcall/testing/certificates";
import { describe, expect, test } from "vitest";
import { parseConfig } from "./config.ts";

const authority = await createCertificateAuthority("Test CA");
const server = await authority.issue({ commonName: "Server", hosts: ["localhost"] });
const files: Record<string, string> = {
  "/app/cert.pem": server.cert,
  "/app/key.pem": server.key,
  "/app/ca.pem": authority.cert,
  "/app/other-key.pem": authority.key,
  "/app/text.pem": "hello",
};

function parse(env: Record<string, string>) {
  return parseConfig(env, {
    rootDir: "/app",
    readFile(path) {
      const text = files[path];
      if (text === undefined) throw Object.assign(new Error("no such file"), { code: "ENOENT" });
      return text;
    },
  });
}

function problemsOf(env: Record<string, string>): readonly string[] {
  try {
    parse(env);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

const secret = "x".repeat(32);

test("without settings, the defaults apply, on loopback with a development key", () => {
  expect(parse({})).toEqual({
    host: "localhost",
    port: 8080,
    probePort: undefined,
    workers: 1,
    database: { kind: "sqlite", path: "/app/data/rollcall.db" },
    databaseConnections: 16,
    databaseTimeoutMs: 1_000,
    developmentKeyPath: "/app/data/development.key",
    tls: undefined,
    auth: { keys: undefined, issuer: undefined, audience: undefined },
    signIn: { kind: "link" },
    corsOrigins: [],
    maxMessageBytes: 4_194_304,
    maxUploadBytes: 17_179_869_184,
    defaultTimeoutMs: 30_000,
    maxTimeoutMs: 3_600_000,
    maxCalls: 1_024,
    rateLimit: { perSecond: 0, burst: 0 },
    streamLimit: { maxOpen: 0, messagesPerSecond: 0 },
    shutdownDelayMs: 0,
    shutdownGraceMs: 10_000,
    limits: {
      maxConnectionsPerAddress: 1_024,
      maxConnectionAgeMs: 0,
      trustedProxies: expect.any(BlockList),
      proxyProtocol: false,
    },
    docs: true,
    reflection: "open",
    changes: { retentionMs: 7 * 24 * 3_600_000, maxCount: 1_000_000 },
    rpcEngine: "direct",
    metrics: "loopback",
    otlp: undefined,
    logLevel: "info",
  });
});

/** Returns the names of all settings that are read, in order. */
function settingNames(): string[] {
  const names = new Set<string>();
  parseConfig(new Proxy({}, { get: (_env, name) => void names.add(String(name)) }), {
    rootDir: "/app",
    readFile: String,
  });
  return [...names].sort();
}

test("the documented table has every setting that is read, and no other", () => {
  const page = readFileSync(join(import.meta.dirname, "../../docs/configuration.md"), "utf8");
  const cells = page.split("\n").flatMap((line) => /^\| (`[A-Z].*?) \|/.exec(line)?.[1] ?? []);
  const documented = cells.flatMap((cell) => cell.match(/[A-Z_]+/g) ?? []);
  expect(documented.sort()).toEqual(settingNames());
});

test(".env.example has every setting that is read, with its default, and sets none", () => {
  const text = readFileSync(join(import.meta.dirname, "../../.env.example"), "utf8");
  expect(parseEnvFile(Buffer.from(text), ".env.example")).toEqual({});
  const settings = parseEnvFile(Buffer.from(text.replaceAll(/^#(?! )/gm, "")), ".env.example");
  expect(Object.keys(settings).sort()).toEqual(settingNames());
  expect(parse(settings)).toEqual(parse({}));
  // The control: a different value is noticed.
  expect(parse({ ...settings, PORT: "8081" })).not.toEqual(parse({}));
});

test("set values are used, and an empty variable counts as not set", () => {
  const config = parse({
    HOST: "127.0.0.1",
    PORT: "0",
    PROBE_PORT: "9090",
    DATABASE_URL: "sqlite:/var/lib/users.db",
    TLS_CERT_FILE: "cert.pem",
    TLS_KEY_FILE: "key.pem",
    TLS_CLIENT_CA_FILE: "/app/ca.pem",
    AUTH_SECRET: secret,
    AUTH_ISSUER: "me",
    MAX_CALLS: "200",
    RATE_LIMIT_PER_SECOND: "50",
    RATE_LIMIT_BURST: "75",
    MAX_STREAMS_PER_PRINCIPAL: "8",
    STREAM_MESSAGES_PER_SECOND: "500",
    SHUTDOWN_DELAY_MS: "5000",
    CORS_ORIGINS: "https://a.example, http://localhost:5173",
    RPC_ENGINE: "stock",
    LOG_LEVEL: "",
  });
  expect(config).toMatchObject({
    host: "127.0.0.1",
    port: 0,
    probePort: 9_090,
    database: { kind: "sqlite", path: "/var/lib/users.db" },
    developmentKeyPath: "/var/lib/development.key",
    tls: {
      cert: `${server.cert}\n`,
      key: `${server.key}\n`,
      clientCa: `${authority.cert}\n`,
      certFile: "/app/cert.pem",
    },
    auth: { keys: { secret: new TextEncoder().encode(secret) }, issuer: "me" },
    corsOrigins: ["https://a.example", "http://localhost:5173"],
    maxCalls: 200,
    rateLimit: { perSecond: 50, burst: 75 },
    streamLimit: { maxOpen: 8, messagesPerSecond: 500 },
    shutdownDelayMs: 5_000,
    rpcEngine: "stock",
    metrics: "loopback",
    logLevel: "info",
  });
  const inMemory = { database: { kind: "sqlite", path: ":memory:" }, developmentKeyPath: undefined };
  expect(parse({ DATABASE_URL: "sqlite::memory:" })).toMatchObject(inMemory);
  const inPostgres = { database: { kind: "postgres", host: "db" }, developmentKeyPath: "/app/data/development.key" };
  expect(parse({ DATABASE_URL: "postgres://me@db/users" })).toMatchObject(inPostgres);
});

test("an identity provider's key set is used, with the time that its last good keys may serve", () => {
  const env = { AUTH_JWKS_URL: "https://idp.example/keys", AUTH_ISSUER: "i", AUTH_AUDIENCE: "a" };
  const jwksUrl = new URL("https://idp.example/keys");
  expect(parse(env).auth.keys).toEqual({ jwksUrl, maxStaleMs: 3_600_000 });
  expect(parse({ ...env, AUTH_JWKS_MAX_STALE_MS: "30m" }).auth.keys).toEqual({ jwksUrl, maxStaleMs: 1_800_000 });
  expect(parse({ ...env, AUTH_JWKS_MAX_STALE_MS: "0" }).auth.keys).toEqual({ jwksUrl, maxStaleMs: 0 });
  const problems = problemsOf({ ...env, AUTH_JWKS_URL: "https://me:pass@idp.example/", AUTH_JWKS_MAX_STALE_MS: "-1" });
  expect(problems.map((problem) => problem.split(":")[0])).toEqual(["AUTH_JWKS_MAX_STALE_MS", "AUTH_JWKS_URL"]);
  expect(problems.join()).not.toContain("pass@");
});

test("reflection is open on loopback, and asks for a token or is off elsewhere", () => {
  const elsewhere = { HOST: "0.0.0.0", AUTH_SECRET: secret, ALLOW_PLAINTEXT: "true" };
  expect(parse({ HOST: "::1" }).reflection).toBe("open");
  expect(parse({ REFLECTION: "off" }).reflection).toBe("off");
  expect(parse(elsewhere).reflection).toBe("off");
  for (const REFLECTION of ["on", "true"]) expect(parse({ ...elsewhere, REFLECTION }).reflection).toBe("token");
  expect(problemsOf({ REFLECTION: "open" })).toEqual(["REFLECTION: must be one of on, off, true, false"]);
});

test("the docs are on on loopback, and off elsewhere", () => {
  const elsewhere = { HOST: "0.0.0.0", AUTH_SECRET: secret, ALLOW_PLAINTEXT: "true" };
  expect(parse({}).docs).toBe(true);
  expect(parse({ DOCS: "off" }).docs).toBe(false);
  expect(parse(elsewhere).docs).toBe(false);
  expect(parse({ ...elsewhere, DOCS: "on" }).docs).toBe(true);
  expect(problemsOf({ DOCS: "yes" })).toEqual(["DOCS: must be one of on, off, true, false"]);
});

test("proxies are trusted by address or network", () => {
  const { limits } = parse({
    MAX_CONNECTIONS_PER_ADDRESS: "50",
    TRUSTED_PROXIES: "10.0.0.0/8, ::1",
    PROXY_PROTOCOL: "true",
  });
  expect(limits.proxyProtocol).toBe(true);
  expect(limits.maxConnectionsPerAddress).toBe(50);
  expect(limits.trustedProxies.check("10.9.9.9")).toBe(true);
  expect(limits.trustedProxies.check("::1", "ipv6")).toBe(true);
  expect(limits.trustedProxies.check("11.0.0.1")).toBe(false);
});

test.each([
  [{ MAX_MESSAGE_BYTES: "8MiB" }, { maxMessageBytes: 8_388_608 }],
  [{ MAX_UPLOAD_BYTES: "1TB" }, { maxUploadBytes: 1e12 }],
  [{ DEFAULT_TIMEOUT_MS: "20s" }, { defaultTimeoutMs: 20_000 }],
  [{ MAX_TIMEOUT_MS: "2h" }, { maxTimeoutMs: 7_200_000 }],
  [{ MAX_CONNECTION_AGE_MS: "30m" }, { limits: { maxConnectionAgeMs: 1_800_000 } }],
  [{ SHUTDOWN_DELAY_MS: "1.5s" }, { shutdownDelayMs: 1_500 }],
  [{ SHUTDOWN_GRACE_MS: "1m" }, { shutdownGraceMs: 60_000 }],
])("sizes and times have units: %j", (env, expected) => {
  expect(parse(env)).toMatchObject(expected);
});

test("every problem is reported at once, by the variable's name", () => {
  const problems = problemsOf({
    PORT: "70000",
    DATABASE_URL: "mysql://x",
    AUTH_SECRET: "short",
    MAX_MESSAGE_BYTES: "4M",
    MAX_CALLS: "0",
    SHUTDOWN_DELAY_MS: "5 seconds",
    RPC_ENGINE: "fast",
    LOG_LEVEL: "loud",
    CORS_ORIGINS: "*,https://a.example/",
  });
  expect(problems.map((problem) => problem.split(":")[0])).toEqual([
    "PORT",
    "DATABASE_URL",
    "AUTH_SECRET",
    "CORS_ORIGINS",
    "CORS_ORIGINS",
    "MAX_MESSAGE_BYTES",
    "MAX_CALLS",
    "SHUTDOWN_DELAY_MS",
    "RPC_ENGINE",
    "LOG_LEVEL",
  ]);
});

describe.each<[string, Record<string, string>, string[]]>([
  ["half a certificate", { TLS_CERT_FILE: "cert.pem" }, ["TLS_KEY_FILE"]],
  ["the other half", { TLS_KEY_FILE: "key.pem" }, ["TLS_CERT_FILE"]],
  ["a file that is not there", { TLS_CERT_FILE: "no.pem", TLS_KEY_FILE: "key.pem" }, ["TLS_CERT_FILE"]],
  ["a file that is no PEM", { TLS_CERT_FILE: "text.pem", TLS_KEY_FILE: "key.pem" }, ["TLS_CERT_FILE"]],
  ["another certificate's key", { TLS_CERT_FILE: "cert.pem", TLS_KEY_FILE: "other-key.pem" }, ["TLS_KEY_FILE"]],
  ["a client CA without a certificate", { TLS_CLIENT_CA_FILE: "ca.pem" }, ["TLS_CLIENT_CA_FILE"]],
  [
    "a client CA that is no PEM",
    { TLS_CERT_FILE: "cert.pem", TLS_KEY_FILE: "key.pem", TLS_CLIENT_CA_FILE: "text.pem" },
    ["TLS_CLIENT_CA_FILE"],
  ],
  ["a key set alone", { AUTH_JWKS_URL: "https://idp.example/jwks" }, ["AUTH_ISSUER", "AUTH_AUDIENCE"]],
  [
    "a key set in the clear",
    { AUTH_JWKS_URL: "http://idp.example/", AUTH_ISSUER: "i", AUTH_AUDIENCE: "a" },
    ["AUTH_JWKS_URL"],
  ],
  ["a secret of before alone", { AUTH_SECRET_PREVIOUS: secret }, ["AUTH_SECRET_PREVIOUS"]],
  ["a secret twice", { AUTH_SECRET: secret, AUTH_SECRET_PREVIOUS: secret }, ["AUTH_SECRET_PREVIOUS"]],
  ["a short secret of before", { AUTH_SECRET: secret, AUTH_SECRET_PREVIOUS: "short" }, ["AUTH_SECRET_PREVIOUS"]],
  ["two kinds of keys", { AUTH_JWKS_URL: "https://idp.example/", AUTH_SECRET: secret }, ["AUTH_JWKS_URL"]],
  ["a default above the maximum", { DEFAULT_TIMEOUT_MS: "9000", MAX_TIMEOUT_MS: "8000" }, ["DEFAULT_TIMEOUT_MS"]],
  ["a maximum that no timer holds", { MAX_TIMEOUT_MS: "2147483648" }, ["MAX_TIMEOUT_MS"]],
  [
    "proxies that are no addresses",
    { TRUSTED_PROXIES: "10.0.0.0/8, proxy.example, 10.0.0.0/40", MAX_CONNECTIONS_PER_ADDRESS: "0" },
    ["MAX_CONNECTIONS_PER_ADDRESS", "TRUSTED_PROXIES", "TRUSTED_PROXIES"],
  ],
  ["a port that is taken", { PORT: "9000", PROBE_PORT: "9000" }, ["PROBE_PORT"]],
  ["the PROXY protocol of nobody", { PROXY_PROTOCOL: "true" }, ["PROXY_PROTOCOL"]],
  ["a burst without a rate", { RATE_LIMIT_BURST: "9" }, ["RATE_LIMIT_BURST"]],
  ["an invalid host", { HOST: "[::1]" }, ["HOST"]],
  ["several processes with SQLite", { WORKERS: "4" }, ["WORKERS"]],
  ["a wrong database", { DATABASE_URL: "postgres://x/?a=b", WORKERS: "4" }, ["DATABASE_URL"]],
])("%s", (_name, env, names) => {
  test(`is reported for ${names.join(", ")}`, () => {
    expect(problemsOf(env).map((problem) => problem.split(":")[0])).toEqual(names);
  });
});

describe("a host that others can reach", () => {
  const tls = { TLS_CERT_FILE: "cert.pem", TLS_KEY_FILE: "key.pem" };

  test.each(["0.0.0.0", "::", "192.0.2.1", "example.com", "127.evil.example"])(
    "such as %s needs keys and TLS",
    (HOST) => {
      expect(problemsOf({ HOST }).map((problem) => problem.split(":")[0])).toEqual(["AUTH_SECRET", "TLS_CERT_FILE"]);
      expect(problemsOf({ HOST, ...tls })).toHaveLength(1);
      expect(problemsOf({ HOST, AUTH_SECRET: secret })).toHaveLength(1);
      expect(problemsOf({ HOST, AUTH_SECRET: secret, ...tls })).toEqual([]);
      expect(problemsOf({ HOST, AUTH_SECRET: secret, ALLOW_PLAINTEXT: "true" })).toEqual([]);
    },
  );

  test.each(["localhost", "127.0.0.1", "127.1.2.3", "::1"])("is not %s", (HOST) => {
    expect(problemsOf({ HOST })).toEqual([]);
  });
});
