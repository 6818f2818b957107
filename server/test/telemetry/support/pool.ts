import { sharedPostgres } from "@rollcall/testing/shared-postgres";
import { openPostgresUserRepository } from "../../../src/repository/postgres/user-repository.ts";
import { addressOf } from "../../support/address-of.ts";

/** Returns the options of a server on PostgreSQL. It has additional metrics: those of its pool. */
export async function withPool(maxConnections?: number) {
  const address = addressOf(await (await sharedPostgres()).createSchema());
  return { address, repository: await openPostgresUserRepository({ address, maxConnections, timeoutMs: 60_000 }) };
}
