import { chownSync, constants, copyFileSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { createPostgresFolder, type PostgresServer, servePostgres } from "./start-postgres.ts";

export interface StandbyOptions {
  /** Port of a proxy to the primary. Default: the primary's own. */
  readonly primaryPort?: number;
}

/** A PostgreSQL server that follows another one, and answers reads, until it is promoted. */
export interface PostgresStandby extends PostgresServer {
  /** Promotes it to a primary. Resolves when it accepts writes. */
  promote(): Promise<void>;
}

/** Contents of the data folder that belong to the primary alone, or that the standby is sent again. */
const LEFT_OUT = /^(?:pg_wal\/.+|pg_replslot\/.+|pg_stat_tmp\/.+|postmaster\.(?:pid|opts)|postgresql\.auto\.conf)$/;

/**
 * Copies a running server, and starts the copy as its standby. It is asynchronous until {@link waitForStandby}.
 * `pg_basebackup` does the same, but the npm package lacks it.
 *
 * @param name Distinguishes it from other standbys of the same primary.
 */
export async function startStandby(
  primary: PostgresServer,
  name: string,
  { primaryPort = primary.port }: StandbyOptions = {},
): Promise<PostgresStandby> {
  const place = createPostgresFolder();
  const { data, owner } = place;
  // The slot keeps the log, from the start of the copy, until the standby has it.
  await primary.query(`SELECT pg_create_physical_replication_slot('${name}', true)`);
  await using client = await connect(primary);
  await client.query("SELECT pg_backup_start($1, fast => true)", [name]);
  copyFiles(join(primary.folder, "data"), data);
  const { rows } = await client.query<{ labelfile: string }>(
    "SELECT labelfile FROM pg_backup_stop(wait_for_archive => false)",
  );
  writeFileSync(join(data, "backup_label"), rows[0]?.labelfile ?? "");
  writeFileSync(join(data, "standby.signal"), "");
  const password = decodeURIComponent(new URL(primary.urlOf("postgres")).password);
  const way = `host=127.0.0.1 port=${primaryPort} user=postgres password=${password} application_name=${name}`;
  writeFileSync(
    join(data, "postgresql.auto.conf"),
    `primary_conninfo = '${way}'\nprimary_slot_name = '${name}'\nwal_retrieve_retry_interval = '100ms'\n`,
  );
  if (owner) for (const path of ["", ...filesOf(data)]) chownSync(join(data, path), owner.uid, owner.gid);
  const server = await servePostgres(place, password);
  return Object.assign(server, {
    async promote() {
      await server.query("SELECT pg_promote()");
    },
  });
}

/** Makes commits wait for a standby from now on. Resolves once it has all earlier ones. */
export async function waitForStandby(primary: PostgresServer, name: string): Promise<void> {
  await primary.query(`ALTER SYSTEM SET synchronous_standby_names = '"${name}"'`);
  await primary.query("SELECT pg_reload_conf()");
  const [row] = await primary.query("SELECT pg_current_wal_flush_lsn()::text AS lsn");
  const query = `SELECT FROM pg_stat_replication WHERE application_name = '${name}' AND sync_state = 'sync'
    AND flush_lsn >= '${row?.lsn}'`;
  while ((await primary.query(query)).length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
}

async function connect(server: PostgresServer): Promise<pg.Client & AsyncDisposable> {
  const client = new pg.Client({ connectionString: server.urlOf("postgres") });
  client.on("error", () => {});
  await client.connect();
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.end() });
}

function filesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" });
}

/** Copies the files of a running server. They may change and vanish meanwhile; replaying the log repairs that. */
function copyFiles(from: string, to: string): void {
  for (const entry of readdirSync(from, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name).slice(from.length + 1);
    if (LEFT_OUT.test(path)) continue;
    if (entry.isDirectory()) {
      mkdirSync(join(to, path), { mode: 0o700 });
      continue;
    }
    try {
      copyFileSync(join(from, path), join(to, path), constants.COPYFILE_FICLONE);
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
    }
  }
}
