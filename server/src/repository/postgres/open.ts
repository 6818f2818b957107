import { setTimeout as delay } from "node:timers/promises";
import type pg from "pg";
import { DatabaseOpenError } from "../database-open.ts";
import { connectAlone, timeoutsFor } from "./connection.ts";
import { codeOf, isAway } from "./errors.ts";
import { migrate } from "./migrate.ts";
import type { OpenPostgresOptions, PostgresAddress } from "./options.ts";
import { PostgresPool } from "./pool.ts";
import { nameOf, wordsFor } from "./words-for.ts";

const DEFAULT_CONNECTIONS = 16;
const DEFAULT_CALL_MS = 1_000;
const DEFAULT_START_TIMEOUT_MS = 10_000;
/** How long a start waits for another server that changes the schema. */
const MIGRATION_TIMEOUT_MS = 60_000;
const RETRY_MS = 100;
/** How long to wait for the server before that is logged, in milliseconds. */
const QUIET_WAIT_MS = 1_000;
/**
 * Oldest version that has the features used here. It is also the oldest that PostgreSQL's own project supports today.
 */
const MIN_VERSION = 140_000;
/**
 * Errors that do not go away by waiting: a wrong password or name, a pooler that refuses settings. A server that is
 * starting, or has no connection left, is waited for.
 */
const FINAL = new Set(["28P01", "28000", "3D000", "42501", "08P01"]);

/**
 * Opens a PostgreSQL database, and brings its schema up to date. Waits for a server that can't be reached yet.
 *
 * @throws DatabaseOpenError when it can't be used, is another program's, or was made by a newer Rollcall.
 */
export async function openPostgres(options: OpenPostgresOptions): Promise<PostgresPool> {
  const { address, onNotice, maxConnections = DEFAULT_CONNECTIONS, timeoutMs = DEFAULT_CALL_MS } = options;
  const client = await connectPrepared(options);
  void client.end();
  return new PostgresPool({ address, timeouts: timeoutsFor(timeoutMs), maxConnections, onNotice });
}

/**
 * Opens one connection, without bounds for its statements, to a database whose schema is first brought up to date.
 *
 * @throws DatabaseOpenError as {@link openPostgres}.
 */
export async function connectPrepared(options: OpenPostgresOptions): Promise<pg.Client> {
  const { address, onNotice, startTimeoutMs = DEFAULT_START_TIMEOUT_MS } = options;
  const startedAtMs = performance.now();
  for (let hasNoticed = false; ; ) {
    try {
      return await prepare(options);
    } catch (error) {
      if (error instanceof DatabaseOpenError || !(error instanceof Error)) throw error;
      const waitedMs = performance.now() - startedAtMs;
      const canPass = isAway(error) || codeOf(error) === "53300";
      if (!canPass || FINAL.has(codeOf(error)) || waitedMs >= startTimeoutMs) {
        const waited = waitedMs >= 1_000 ? ` (tried for ${Math.round(waitedMs / 1_000)} s)` : "";
        throw new DatabaseOpenError(`${wordsFor(error, address)}${waited}`, { cause: error });
      }
      if (!hasNoticed && waitedMs > QUIET_WAIT_MS) {
        hasNoticed = true;
        onNotice?.({ level: "warn", message: `waiting: ${wordsFor(error, address)}` });
      }
    }
    await delay(RETRY_MS);
  }
}

async function prepare({ address, timeoutMs = DEFAULT_CALL_MS, ...notices }: OpenPostgresOptions): Promise<pg.Client> {
  // Steps of the schema have no time limit; TCP keepalive finds out if the server is gone.
  const client = await connectAlone(address, { ...timeoutsFor(timeoutMs), answerMs: 0 });
  try {
    await assertSettings(client, address);
    await migrate(client, { address, lockTimeoutMs: MIGRATION_TIMEOUT_MS, ...notices });
    return client;
  } catch (error) {
    void client.end();
    throw error;
  }
}

/** Asserts that the server has a version, an encoding and settings that we can rely on. */
async function assertSettings(client: pg.Client, address: PostgresAddress): Promise<void> {
  const { rows } = await client.query<{ name: string; setting: string }>(
    "SELECT name, setting FROM pg_settings WHERE name IN ('server_version_num', 'server_encoding', 'synchronous_commit', 'fsync')",
  );
  const settings = new Map(rows.map(({ name, setting }) => [name, setting]));
  const refuse = (problem: string) => {
    throw new DatabaseOpenError(`${nameOf(address)} ${problem}`);
  };
  if (Number(settings.get("server_version_num")) < MIN_VERSION) refuse("is older than PostgreSQL 14; upgrade it");
  if (settings.get("server_encoding") !== "UTF8")
    refuse("has another encoding than UTF8; create it with ENCODING 'UTF8'");
  for (const name of ["synchronous_commit", "fsync"]) {
    if (settings.get(name) === "off") refuse(`has ${name} off, so that a power cut loses what was answered; set it on`);
  }
}
