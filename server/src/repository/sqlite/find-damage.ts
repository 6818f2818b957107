import type { DatabaseSync } from "node:sqlite";
import { pragma } from "./recognise-sqlite.ts";

/** Largest database that is checked for damage, in bytes. This much takes some 0.1 seconds; more from a cold disk. */
const MAX_BYTES = 64 * 1024 ** 2;

/**
 * Checks a database for damage, if it is not too large. Blocks the thread meanwhile. Returns the first damage found, in
 * SQLite's words.
 *
 * @param bytes Size of the database.
 * @throws Error of SQLite if the damage keeps it from checking further.
 */
export function findDamage(database: DatabaseSync, bytes: number): string | undefined {
  if (bytes > MAX_BYTES) return undefined;
  const result = String(pragma(database, "quick_check(1)"));
  return result === "ok" ? undefined : result.trim().replaceAll(/\s+/g, " ");
}
