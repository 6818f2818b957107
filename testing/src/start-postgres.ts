import { type ChildProcess, execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { chmodSync, chownSync, mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import pg from "pg";
import { childrenOf } from "./child-processes.ts";
import { findPostgresBinaries } from "./postgres-binaries.ts";
import { startProcessGuard } from "./process-guard.ts";

/** Attempts to start again after a kill, 50 ms apart: the last of the old processes may not be gone yet. */
const START_ATTEMPTS = 100;

export interface PostgresOptions {
  /** Settings as in `postgresql.conf`, such as `{ max_connections: "10" }`. */
  settings?: Readonly<Record<string, string>>;
  /** Whether nobody disposes of it: it does not keep this process alive, and ends with it. */
  isShared?: boolean;
}

/** A PostgreSQL server of a test's own. */
export interface PostgresServer extends AsyncDisposable {
  readonly port: number;
  /** Folder of the data (`data`) and of the socket. */
  readonly folder: string;
  /** Process id of the postmaster; undefined while it is stopped. */
  readonly pid: number | undefined;
  /** All that it has logged. */
  log(): string;
  /** Returns the URL of a database for the superuser, or for another user. */
  urlOf(database: string, user?: { readonly name: string; readonly password: string }): string;
  /** Creates an empty database. Returns its URL. */
  createDatabase(): Promise<string>;
  /**
   * Creates an empty schema for a user of its own, who is no superuser. Returns the user's URL. Costs a tenth of a
   * database.
   */
  createSchema(): Promise<string>;
  /** Runs one statement on a connection of its own, by default in the superuser's database. Returns its rows. */
  query(sql: string, url?: string): Promise<Record<string, unknown>[]>;
  /** Ends all its processes at once (SIGKILL). */
  kill(): Promise<void>;
  /** Stops it: "fast" as an operator does, "immediate" without a checkpoint. */
  stop(mode?: "fast" | "immediate"): Promise<void>;
  /** Starts it again with the same port and data. Resolves when it takes connections. */
  start(): Promise<void>;
  /** Makes it hang (SIGSTOP): connections are accepted and open ones stay, but nothing answers. */
  pause(): void;
  /** Lets it go on. */
  resume(): void;
}

/**
 * Starts a PostgreSQL server in about half a second: real, empty, durable, on a free port of loopback. Its default
 * collation is English, so that a forgotten `COLLATE "C"` shows. The server ends with the process that started it, even
 * if that is killed, and its folder is gone then.
 */
export async function startPostgres({
  settings = {},
  isShared = false,
}: PostgresOptions = {}): Promise<PostgresServer> {
  const folder = mkdtempSync(join(tmpdir(), "rollcall-pg-"));
  const { bin, owner } = findPostgresBinaries(folder);
  const data = join(folder, "data");
  const passwordFile = join(folder, "password");
  const password = randomBytes(12).toString("hex");
  mkdirSync(data, { mode: 0o700 });
  writeFileSync(passwordFile, password);
  if (owner) for (const path of [folder, data, passwordFile]) chownSync(path, owner.uid, owner.gid);
  chmodSync(folder, 0o755);
  // PG* variables of the environment would count as settings.
  const env = { PATH: process.env.PATH, LC_ALL: "C", TZ: "UTC" };
  const access = ["-U", "postgres", `--pwfile=${passwordFile}`, "--auth=scram-sha-256"];
  const locale = ["--encoding=UTF8", "--locale=C", "--locale-provider=icu", "--icu-locale=en"];
  await promisify(execFile)(join(bin, "initdb"), ["-D", data, "--no-sync", ...access, ...locale], { env, ...owner });

  const port = await freePort();
  const allSettings = {
    port: String(port),
    listen_addresses: "127.0.0.1",
    unix_socket_directories: folder,
    shared_buffers: "32MB",
    max_connections: "200",
    ...settings,
  };
  const args = ["-D", data, ...Object.entries(allSettings).flatMap(([name, value]) => ["-c", `${name}=${value}`])];
  const guard = startProcessGuard({ folder, owner });
  let log = "";
  let child: ChildProcess | undefined;

  async function tryStart(): Promise<boolean> {
    const started = spawn(join(bin, "postgres"), args, {
      env,
      stdio: ["ignore", "ignore", "pipe"],
      detached: true,
      ...owner,
    });
    guard.watch(started.pid);
    let logOfStart = "";
    return new Promise((resolve) => {
      started.stderr.on("data", (chunk) => {
        log += chunk;
        if (child === started) return;
        logOfStart += chunk;
        if (!logOfStart.includes("ready to accept")) return;
        child = started;
        resolve(true);
      });
      started.once("exit", () => {
        guard.watch(undefined);
        if (child === started) child = undefined;
        resolve(false);
      });
    });
  }

  async function start(): Promise<void> {
    if (child) return;
    for (let attempt = 1; attempt <= START_ATTEMPTS; attempt++) {
      if (await tryStart()) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`PostgreSQL did not start: ${log}`);
  }

  /** Sends a signal to the postmaster, then to its children, of which it can make no more by then. */
  function signalAll(signal: NodeJS.Signals): void {
    if (child?.pid === undefined) return;
    const children = childrenOf(child.pid);
    child.kill(signal);
    const more = signal === "SIGSTOP" ? childrenOf(child.pid) : [];
    for (const pid of new Set([...children, ...more])) signalIfThere(pid, signal);
  }

  async function end(send: () => void): Promise<void> {
    const exited = child && once(child, "exit");
    send();
    await exited;
  }

  const urlOf: PostgresServer["urlOf"] = (database, user = { name: "postgres", password }) =>
    `postgres://${encodeURIComponent(user.name)}:${encodeURIComponent(user.password)}@127.0.0.1:${port}/${database}`;

  const query: PostgresServer["query"] = async (sql, url = urlOf("postgres")) => {
    const client = new pg.Client({ connectionString: url });
    // The server may be killed under it, which the query reports too.
    client.on("error", () => {});
    await client.connect();
    try {
      return (await client.query(sql)).rows;
    } finally {
      await client.end();
    }
  };

  let count = 0;
  await start();
  if (isShared && child) {
    child.unref();
    (child.stderr as Socket).unref();
  }
  return {
    port,
    folder,
    get pid() {
      return child?.pid;
    },
    log: () => log,
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
      // The search path begins with the schema of the user's name.
      await query(`CREATE ROLE ${name} LOGIN PASSWORD '${name}'; CREATE SCHEMA ${name} AUTHORIZATION ${name}`);
      return urlOf("postgres", { name, password: name });
    },
    kill: () => end(() => signalAll("SIGKILL")),
    stop: (mode = "fast") => end(() => child?.kill(mode === "fast" ? "SIGINT" : "SIGQUIT")),
    start,
    pause: () => signalAll("SIGSTOP"),
    resume: () => signalAll("SIGCONT"),
    async [Symbol.asyncDispose]() {
      await end(() => signalAll("SIGKILL"));
      await guard[Symbol.asyncDispose]();
    },
  };
}

function signalIfThere(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended meanwhile.
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}
