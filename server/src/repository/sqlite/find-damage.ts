import type { DatabaseSync } from "node:sqlite";
import { pragma } from "./recognise-sqlite.ts";

/** Larger databases are not looked through: this much takes some 0.1 seconds, more from a cold disk. In bytes. */
const MAX_BYTES = 64 * 1024 ** 2;

/**
 * Looks through a database for damage, if it is not too large; holds the thread
 * meanwhile. Returns the first that it finds, in SQLite's words.
 *
 * @param bytes Size of the database.
 * @throws Error of SQLite where the damage is such that it can't look further.
 */
export function findDamage(database: DatabaseSync, bytes: number): string | undefined {
  if (bytes > MAX_BYTES) return undefined;
  const result = String(pragma(database, "quick_check(1)"));
  return result === "ok" ? undefined : result.trim().replaceAll(/\s+/g, " ");
}
