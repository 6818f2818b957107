import { dirname, join, resolve } from "node:path";
import type { Reader } from "./reader.ts";

const EXAMPLE = "data/rollcall.db";

export interface SqliteConfig {
  readonly kind: "sqlite";
  /** Absolute path of a file, or ":memory:". */
  readonly path: string;
}

/** Reads the address of the database. */
export function databaseUrlOf(read: Reader): string {
  return read.text("DATABASE_URL") ?? `sqlite:${EXAMPLE}`;
}

/** Returns whether a URL is meant for PostgreSQL. */
export function isPostgresUrl(url: string): boolean {
  return /^postgres(ql)?:/i.test(url);
}

/**
 * Returns the path of the development key, beside the database's file. PostgreSQL has no file here, so its key is in
 * the folder of the default database. A database in memory has no key file.
 */
export function developmentKeyPath(
  database: SqliteConfig | { readonly kind: "postgres" },
  rootDir: string,
): string | undefined {
  if (database.kind === "postgres") return resolve(rootDir, dirname(EXAMPLE), "development.key");
  return database.path === ":memory:" ? undefined : join(dirname(database.path), "development.key");
}

/**
 * Reads the URL of a file, whose path follows `sqlite:` literally. Refuses forms that have a meaning in other programs,
 * and would here be a part of the name: they would open a new, empty database.
 *
 * @returns The database, or what is wrong with the URL, in words.
 */
export function parseSqliteUrl(url: string, rootDir: string): SqliteConfig | string {
  const [, path = ""] = /^sqlite:(.+)$/s.exec(url) ?? [];
  if (path === "") return `must be sqlite:<path>, such as sqlite:${EXAMPLE}, sqlite::memory:, or postgres://<address>`;
  return wrongPath(path) ?? { kind: "sqlite", path: path === ":memory:" ? path : resolve(rootDir, path) };
}

function wrongPath(path: string): string | undefined {
  if (path === ":memory:") return undefined;
  if (/^(\/*:.*|:?memory:?)$/i.test(path)) return "the database in memory is sqlite::memory:";
  if (path.startsWith("//")) {
    // Show no part of the URL that may be a password or key.
    const rest = path.replace(/^\/+/, "");
    const relative = /^[\w./-]+$/.test(rest) ? rest : EXAMPLE;
    return `takes no // before the path; write sqlite:${relative}, or sqlite:/${relative} if it starts at the root of the file system`;
  }
  if (path.startsWith("file:")) return "the path begins behind sqlite:, without file:";
  if (path.includes("?")) return "takes no parameters: leave out the ? and what follows";
  if (/^~|\$\w|\$\{|^%\w+%/.test(path)) return "~ and variables stand for nothing here; write the whole path";
  if (/%[\da-f]{2}/i.test(path)) return "the path stands as it is, without percent-encoding";
  if (/^["'`\s]|["'`]$/.test(path)) return "the path begins behind sqlite:, without quotes or spaces";
  if (/(^|\/)\.{0,2}$/.test(path)) return `must name a file, such as sqlite:${EXAMPLE}, not a folder`;
  return undefined;
}
