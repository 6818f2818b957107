import { parsePostgresUrl } from "../../src/config/postgres-url.ts";
import type { PostgresAddress } from "../../src/repository/postgres/options.ts";

/** Returns the address that a test's URL names. */
export function addressOf(url: string): PostgresAddress {
  const config = parsePostgresUrl(url, { rootDir: "/", readFile: () => "" });
  if (typeof config === "string") throw new Error(config);
  return config;
}
