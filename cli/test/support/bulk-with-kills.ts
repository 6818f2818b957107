import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createWriteStream, existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { freePort } from "@rollcall/testing/free-port";
import type { ProgramResult } from "@rollcall/testing/run-program";
import { rollcall } from "@rollcall/testing/run-rollcall";
import { startProcess } from "@rollcall/testing/start-process";

export interface Kills {
  readonly server: number;
  readonly client: number;
}

export interface BulkOptions {
  /** Number of lines in the file. */
  readonly lines: number;
  /** Kills during the import. A restarted client sends all lines again, so each of its kills takes long. */
  readonly kills: Kills;
  /** Kills during the export. The directory has to be large enough for them to hit. */
  readonly exportKills: Kills;
}

export interface BulkOutcome {
  readonly import: ProgramResult;
  readonly export: ProgramResult;
  /** Number of kills that came while a command was running. */
  readonly hits: { serverInImport: number; clientInImport: number; serverInExport: number; clientInExport: number };
  /** Number of users in the database after the import, and of their different e-mails. */
  readonly users: number;
  readonly emails: number;
  /** Number of lines in the exported file, and of different e-mails in it. */
  readonly exportedLines: number;
  readonly exportedEmails: number;
}

/** Distance between lines with an invalid e-mail, in lines. */
export const REFUSED_EVERY = 250;
/** Distance between lines that repeat the previous line, in lines. */
export const DOUBLED_EVERY = 400;
const POLL_MS = 5;
/** Longest run of a command, in milliseconds: longer than a command of other tests may take. */
const TIMEOUT_MS = 3_600_000;

/**
 * Imports a file and exports the directory, while kill -9 ends server and client in turn, each time that another part
 * of the work is done. The server is restarted immediately, and the client is run again.
 */
export async function bulkWithKills({ lines, kills, exportKills }: BulkOptions): Promise<BulkOutcome> {
  const folder = mkdtempSync(join(tmpdir(), "rollcall-bulk-"));
  const file = join(folder, "users.csv");
  const exported = join(folder, "exported.jsonl");
  const hits = { serverInImport: 0, clientInImport: 0, serverInExport: 0, clientInExport: 0 };
  const port = await freePort();
  let server = await startProcess({ folder, port });
  try {
    await writeUsers(file, lines);
    const env = { ROLLCALL_ADDRESS: server.url, ROLLCALL_TOKEN: server.token };
    const restart = async () => {
      await server.kill();
      server = await startProcess({ folder, port });
    };
    const database = new DatabaseSync(join(folder, "users.db"), { readOnly: true });
    const count = (what: string) => Number(database.prepare(`SELECT count(${what}) AS count FROM users`).get()?.count);
    // Each user is one change. Counting the users would take longer the more there are.
    const lastChange = database.prepare("SELECT max(id) AS id FROM changes");
    const imported = await runWithKills(["users", "import", file, "--json"], env, restart, {
      kills,
      done: () => Number(lastChange.get()?.id) / lines,
      onServerKill: () => (hits.serverInImport += 1),
      onClientKill: () => (hits.clientInImport += 1),
    });
    const users = count("*");
    const emails = count("DISTINCT email_key");
    database.close();
    const partial = `${exported}.partial`;
    const bytes = users * BYTES_A_USER;
    const result = await runWithKills(["users", "export", exported, "--json"], env, restart, {
      kills: exportKills,
      done: () => (existsSync(partial) ? statSync(partial).size / bytes : 0),
      onServerKill: () => (hits.serverInExport += 1),
      onClientKill: () => (hits.clientInExport += 1),
    });
    return { import: imported, export: result, hits, users, emails, ...(await countExported(exported)) };
  } finally {
    await server.kill();
    rmSync(folder, { recursive: true });
  }
}

/** Approximate bytes of a line of the export. */
const BYTES_A_USER = 200;

interface KillPlan {
  readonly kills: Kills;
  /** Returns the part of the work that is done, from 0 to 1. */
  done(): number;
  onServerKill(): void;
  onClientKill(): void;
}

/** Runs a command repeatedly until no kill is left to end it. */
async function runWithKills(
  args: readonly string[],
  env: Record<string, string>,
  restart: () => Promise<void>,
  { kills, done, onServerKill, onClientKill }: KillPlan,
): Promise<ProgramResult> {
  const total = kills.server + kills.client;
  const clientKillsUpTo = (step: number) => Math.floor((step * kills.client) / total);
  let next = 1;
  for (;;) {
    let child: ChildProcess | undefined;
    let ended: ProgramResult | undefined;
    const running = rollcall(args, {
      env,
      timeoutMs: TIMEOUT_MS,
      onStart(started) {
        child = started;
      },
    }).then((result) => {
      ended = result;
      return result;
    });
    while (!ended && next <= total) {
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      if (ended || done() < next / (total + 1)) continue;
      const isServers = clientKillsUpTo(next) === clientKillsUpTo(next - 1);
      next += 1;
      if (isServers) {
        await restart();
        // The kill counts only if the command used the new server.
        if (!ended) onServerKill();
      } else if (child?.kill("SIGKILL")) {
        if ((await running).code === null) onClientKill();
      }
    }
    const result = await running;
    if (result.code !== null) return result;
  }
}

async function writeUsers(path: string, lines: number): Promise<void> {
  const output = createWriteStream(path);
  output.write("email,name\n");
  for (let index = 0; index < lines; index += 1) {
    // A duplicate repeats the previous line.
    const number = index % DOUBLED_EVERY === DOUBLED_EVERY - 1 ? index - 1 : index;
    const email = index % REFUSED_EVERY === REFUSED_EVERY - 1 ? `nobody ${index}` : `user${number}@example.com`;
    if (!output.write(`${email},User ${number}\n`)) await once(output, "drain");
  }
  output.end();
  await once(output, "close");
}

async function countExported(path: string) {
  const file = await open(path);
  const emails = new Set<string>();
  let exportedLines = 0;
  for await (const line of file.readLines()) {
    exportedLines += 1;
    emails.add(JSON.parse(line).email);
  }
  return { exportedLines, exportedEmails: emails.size };
}
