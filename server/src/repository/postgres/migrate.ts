import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type pg from "pg";
import { DatabaseOpenError, type OpenNotices } from "../database-open.ts";
import type { EqualEmails } from "../search-keys.ts";
import { postgresMigrations } from "./migrations.ts";
import type { PostgresAddress } from "./options.ts";
import { areSearchKeysCurrent, refreshSearchKeys } from "./refresh-search-keys.ts";
import { areChangesAhead, renumberChanges } from "./renumber-changes.ts";
import { nameOf } from "./words-for.ts";

/** "Rollcall", as the key of the lock that servers hold while they change the schema. */
const LOCK_KEY = "0x526f6c6c63616c6c";
const LOCK_RETRY_MS = 50;
/** How long to wait for the lock before that is logged, in milliseconds. */
const QUIET_WAIT_MS = 1_000;

export interface MigrateOptions extends OpenNotices {
  readonly address: PostgresAddress;
  /** How long to wait for another server that changes the schema, in milliseconds. */
  readonly lockTimeoutMs: number;
}

/**
 * Brings the schema up to date, one transaction for each step. Other servers that start wait for the lock. It belongs
 * to the transaction, so it works behind a pooler too.
 *
 * @throws DatabaseOpenError when the database is another program's, or was made by a newer Rollcall.
 */
export async function migrate(client: pg.Client, options: MigrateOptions): Promise<void> {
  while (!(await isCurrent(client, options))) {
    await withLock(client, options, async () => {
      // Another server may have run this step meanwhile.
      const version = await readVersion(client, options);
      const step = postgresMigrations[version];
      if (step === undefined) {
        if (await areChangesAhead(client)) await renumberChanges(client);
        reportEqualEmails(await refreshSearchKeys(client), options);
        return;
      }
      await client.query(step);
      if (version === 0) {
        await client.query("INSERT INTO secrets VALUES ('page_token_key', $1)", [randomBytes(32)]);
      }
      await client.query("INSERT INTO rollcall_schema (step) VALUES ($1)", [version + 1]);
    });
  }
}

function reportEqualEmails(emails: EqualEmails, { onEqualEmails }: MigrateOptions): void {
  if (emails.count > 0) onEqualEmails?.(emails);
}

/** Returns whether there is nothing to write. If so, a standby can be opened too. */
async function isCurrent(client: pg.Client, options: MigrateOptions): Promise<boolean> {
  const version = await readVersion(client, options);
  if (version < postgresMigrations.length) return false;
  return (await areSearchKeysCurrent(client)) && !(await areChangesAhead(client));
}

async function readVersion(client: pg.Client, { address }: MigrateOptions): Promise<number> {
  const { rows } = await client.query<{ has_steps: boolean; has_users: boolean }>(
    "SELECT to_regclass('rollcall_schema') IS NOT NULL AS has_steps, to_regclass('users') IS NOT NULL AS has_users",
  );
  if (!rows[0]?.has_steps) {
    if (!rows[0]?.has_users) return 0;
    throw new DatabaseOpenError(
      `${nameOf(address)} has a table "users" of another program; set DATABASE_URL to a database of Rollcall's own`,
    );
  }
  const steps = await client.query<{ version: number }>(
    "SELECT coalesce(max(step), 0) AS version FROM rollcall_schema",
  );
  const version = steps.rows[0]?.version ?? 0;
  if (version > postgresMigrations.length) {
    throw new DatabaseOpenError(
      `${nameOf(address)} was made by a newer version of Rollcall (schema ${version}, this one knows ` +
        `${postgresMigrations.length}); start that version`,
    );
  }
  return version;
}

async function withLock(client: pg.Client, options: MigrateOptions, work: () => Promise<void>): Promise<void> {
  const startedAtMs = performance.now();
  for (let hasNoticed = false; ; ) {
    // A step may take longer than any call.
    await client.query("BEGIN; SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '10s'");
    try {
      const { rows } = await client.query<{ locked: boolean }>(
        `SELECT pg_try_advisory_xact_lock(x'${LOCK_KEY.slice(2)}'::bigint) AS locked`,
      );
      if (rows[0]?.locked) {
        await client.query(
          "CREATE TABLE IF NOT EXISTS rollcall_schema (step integer PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())",
        );
        await work();
        await client.query("COMMIT");
        return;
      }
    } catch (error) {
      await client.query("ROLLBACK").catch(() => {});
      throw error;
    }
    await client.query("ROLLBACK");
    const waitedMs = performance.now() - startedAtMs;
    const name = nameOf(options.address);
    if (waitedMs > options.lockTimeoutMs) {
      const seconds = Math.round(waitedMs / 1_000);
      throw new DatabaseOpenError(
        `${name} has been locked for ${seconds} s by another server that changes its schema; wait for it, and start again`,
      );
    }
    if (!hasNoticed && waitedMs > QUIET_WAIT_MS) {
      hasNoticed = true;
      options.onNotice?.({ level: "warn", message: `waiting for another server that changes the schema of ${name}` });
    }
    await delay(LOCK_RETRY_MS);
  }
}
