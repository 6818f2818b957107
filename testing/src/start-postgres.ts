import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmodSync, chownSync, mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import pg from "pg";
import { freePort } from "./free-port.ts";
import { findPostgresBinaries, type PostgresBinaries } from "./postgres-binaries.ts";
import { type PostgresProcess, startPostgresProcess } from "./postgres-process.ts";

export interface PostgresOptions {
  /** Settings as in `postgresql.conf`, such as `{ max_connections: "10" }`. */
  settings?: Readonly<Record<string, string>>;
  /** Further environment of its processes. */
  env?: Readonly<Record<string, string>> | undefined;
  /** Whether nobody disposes of it. It then does not keep this process alive, and ends with it. */
  isShared?: boolean;
}

/** A PostgreSQL server of a test's own. */
export interface PostgresServer extends PostgresProcess {
  readonly port: number;
  /** Folder of the data (`data`) and of the socket. */
  readonly folder: string;
  /** Returns the URL of a database for the superuser, or for another user. */
  urlOf(database: string, user?: { readonly name: string; readonly password: string }): string;
  /** Creates an empty database. Returns its URL. */
  createDatabase(): Promise<string>;
  /**
   * Creates an empty schema for a user of its own, who is not a superuser. Returns the user's URL. It takes a tenth of
   * the time of a database.
   */
  createSchema(): Promise<string>;
  /** Runs one statement on a connection of its own, by default in the superuser's database. Returns its rows. */
  query(sql: string, url?: string): Promise<Record<string, unknown>[]>;
}

/** Folder of a server, for the user that runs it. */
export interface PostgresFolder extends PostgresBinaries {
  /** Folder of everything that it has. */
  readonly folder: string;
  /** Folder of its data, empty. */
  readonly data: string;
}

/**
 * Starts a PostgreSQL server in about half a second: real, empty, durable, on a free port of loopback. Its default
 * collation is English, so that a missing `COLLATE "C"` is noticed. The server ends with the process that started it,
 * even if that is killed, and its folder is then removed.
 */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const place = createPostgresFolder();
  const { folder, data, bin, owner } = place;
  const password = randomBytes(12).toString("hex");
  const passwordFile = join(folder, "password");
  writeFileSync(passwordFile, password);
  if (owner) chownSync(passwordFile, owner.uid, owner.gid);
  const access = ["-U", "postgres", `--pwfile=${passwordFile}`, "--auth=scram-sha-256"];
  const locale = ["--encoding=UTF8", "--locale=C", "--locale-provider=icu", "--icu-locale=en"];
  const env = envOf({});
  await promisify(execFile)(join(bin, "initdb"), ["-D", data, "--no-sync", ...access, ...locale], { env, ...owner });
  return servePostgres(place, password, options);
}

/** Creates the folder of a future server. */
export function createPostgresFolder(): PostgresFolder {
  const folder = mkdtempSync(join(tmpdir(), "rollcall-pg-"));
  const binaries = findPostgresBinaries(folder);
  const { owner } = binaries;
  const data = join(folder, "data");
  mkdirSync(data, { mode: 0o700 });
  if (owner) for (const path of [folder, data]) chownSync(path, owner.uid, owner.gid);
  chmodSync(folder, 0o755);
  return { ...binaries, folder, data };
}

/** Starts a server on the data of its folder. @param password The superuser's. */
export async function servePostgres(
  place: PostgresFolder,
  password: string,
  { settings, env = {}, isShared = false }: PostgresOptions = {},
): Promise<PostgresServer> {
  const { folder } = place;
  const port = await freePort();
  const postgres = await startPostgresProcess({
    ...place,
    isShared,
    env: envOf(env),
    settings: {
      port: String(port),
      listen_addresses: "127.0.0.1",
      unix_socket_directories: folder,
      shared_buffers: "32MB",
      max_connections: "200",
      max_prepared_transactions: "4",
      ...settings,
    },
  });

  const urlOf: PostgresServer["urlOf"] = (database, user = { name: "postgres", password }) =>
    `postgres://${encodeURIComponent(user.name)}:${encodeURIComponent(user.password)}@127.0.0.1:${port}/${database}`;

  const query: PostgresServer["query"] = async (sql, url = urlOf("postgres")) => {
    const client = new pg.Client({ connectionString: url });
    // The server may be killed during the query, which reports that too.
    client.on("error", () => {});
    await client.connect();
    try {
      return (await client.query(sql)).rows;
    } finally {
      await client.end();
    }
  };

  let count = 0;
  const server: Omit<PostgresServer, keyof PostgresProcess> = {
    port,
    folder,
    urlOf,
    query,
    async createDatabase() {
      count += 1;
      const name = `test_${count}`;
      await query(`CREATE DATABASE ${name}`);
      return urlOf(name);
    },
    async createSchema() {
      count += 1;
      const name = `test_${count}`;
      // The search path begins with the schema that has the user's name.
      await query(`CREATE ROLE ${name} LOGIN PASSWORD '${name}'; CREATE SCHEMA ${name} AUTHORIZATION ${name}`);
      return urlOf("postgres", { name, password: name });
    },
  };
  // The process id must remain a getter.
  return Object.assign(postgres, server);
}

/** Returns the environment of its programs, without the tests' own PG* variables, which would count as settings. */
function envOf(env: Readonly<Record<string, string>>): Record<string, string | undefined> {
  return { PATH: process.env.PATH, LC_ALL: "C", TZ: "UTC", ...env };
}
