import {
  databaseUrlOf,
  isPostgresUrl,
  parseSqliteUrl,
  type SqliteConfig,
} from "@rollcall/shared/settings/database-file";
import type { Reader } from "@rollcall/shared/settings/reader";
import { type PostgresConfig, parsePostgresUrl } from "./postgres-url.ts";
import type { FileSources } from "./tls.ts";

/** Where the database is. */
export type DatabaseConfig = SqliteConfig | PostgresConfig;

/** Reads where the database is. */
export function parseDatabaseUrl(read: Reader, files: FileSources, problems: string[]): DatabaseConfig {
  const url = databaseUrlOf(read);
  const config = isPostgresUrl(url) ? parsePostgresUrl(url, files) : parseSqliteUrl(url, files.rootDir);
  if (typeof config !== "string") return config;
  problems.push(`DATABASE_URL: ${config}`);
  return { kind: "sqlite", path: ":memory:" };
}
