import { resolve } from "node:path";
import type { Reader } from "./reader.ts";

const EXAMPLE = "data/rollcall.db";

/**
 * Reads where the database is: the absolute path of a file, or ":memory:".
 *
 * The file's path follows `sqlite:` literally. Forms that mean something in other programs, and would be part of the
 * name here, are refused: they would open a new, empty database.
 *
 * @param rootDir Folder that a relative path starts from.
 */
export function parseDatabaseUrl(read: Reader, rootDir: string, problems: string[]): string {
  const url = read.text("DATABASE_URL") ?? `sqlite:${EXAMPLE}`;
  const [, path = ""] = /^sqlite:(.+)$/s.exec(url) ?? [];
  const problem = path === "" ? wrongScheme(url) : wrongPath(path);
  if (problem === undefined) return path === ":memory:" ? path : resolve(rootDir, path);
  problems.push(`DATABASE_URL: ${problem}`);
  return "";
}

function wrongScheme(url: string): string {
  if (/^postgres(ql)?:/.test(url)) return "PostgreSQL is not supported by this version; use sqlite:<path>";
  return `must be sqlite:<path>, such as sqlite:${EXAMPLE}, or sqlite::memory:`;
}

function wrongPath(path: string): string | undefined {
  if (path === ":memory:") return undefined;
  if (/^(\/*:.*|:?memory:?)$/i.test(path)) return "the database in memory is sqlite::memory:";
  if (path.startsWith("//")) {
    // Show no part of a URL that may hold a password or key.
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
