import { sharedPostgres } from "@rollcall/testing/shared-postgres";
import { startTransactionPooler } from "@rollcall/testing/transaction-pooler";
import { expect, test } from "vitest";
import { addressOf } from "../../../test/support/address-of.ts";
import type { BulkWriter, StoredUser } from "../bulk.ts";
import { DatabaseOpenError } from "../database-open.ts";
import { openPostgresBulkReader, openPostgresBulkWriter } from "./bulk.ts";

const postgres = await sharedPostgres();

const user: StoredUser = {
  id: "1",
  email: "a@example.com",
  emailKey: "a@example.com",
  name: "A",
  createdAtMs: 1,
  updatedAtMs: 1,
  version: 1,
};

async function countAt(url: string): Promise<number> {
  await using reader = await openPostgresBulkReader(addressOf(url));
  return (await reader.counts()).users;
}

test("a copy that loses its database says so in words, and leaves nothing", async () => {
  const url = await postgres.createSchema();
  await using writer = await openPostgresBulkWriter(addressOf(url));
  await writer.addUsers([user]);
  const backends = `FROM pg_stat_activity WHERE usename = '${new URL(url).username}'`;
  await postgres.query(`SELECT pg_terminate_backend(pid) ${backends}`);
  await expect.poll(() => postgres.query(`SELECT pid ${backends}`)).toEqual([]);
  const error: unknown = await writer.addUsers([{ ...user, id: "2" }]).catch((reason) => reason);
  expect(error).toBeInstanceOf(DatabaseOpenError);
  expect((error as Error).message).toMatch(/^PostgreSQL database "postgres" at 127\.0\.0\.1:\d+ /);
  expect(await countAt(url)).toBe(0);
});

test("a target that others write to is refused in words", async () => {
  const url = await postgres.createSchema();
  await using _first: BulkWriter = await openPostgresBulkWriter(addressOf(url));
  const second = openPostgresBulkWriter(addressOf(url));
  await expect(second).rejects.toThrow("is in use: another transaction keeps a lock");
  await expect(second).rejects.toThrow(DatabaseOpenError);
});

test("a directory is filled behind a pooler, whose sessions others have used", async () => {
  const direct = await postgres.createSchema();
  await using pooler = await startTransactionPooler(direct);
  const url = `${Object.assign(new URL(direct), { port: pooler.port }).href}?pgbouncer=true`;
  for (const round of [0, 1, 2, 3, 4]) {
    await using writer = await openPostgresBulkWriter(addressOf(url));
    const email = `${round}@example.com`;
    await writer.addUsers([{ ...user, id: `${round}`, email, emailKey: email }]);
    await writer.commit();
  }
  expect(await countAt(url)).toBe(5);
});
