import { sharedPostgres } from "@rollcall/testing/shared-postgres";
import { expect, test } from "vitest";
import { addressOf } from "../../../test/support/address-of.ts";
import { newUser } from "../new-user.contract.ts";
import { nobody } from "../user-repository.ts";
import { connectPrepared } from "./open.ts";
import { statements } from "./statements.ts";
import type { Write } from "./write.ts";
import { RacedError, runWrites, type Send } from "./write-batch.ts";

const postgres = await sharedPostgres();

test("a version that changes between the read and the write is never overwritten or deleted", async () => {
  const address = addressOf(await postgres.createSchema());
  const client = await connectPrepared({ address });
  let afterRead = "";
  const send: Send = async <T extends object>({ text }: { text: string }, values: readonly unknown[] = []) => {
    const { rows } = await client.query<T>(text, [...values]);
    // Simulates a database whose locks do not hold; PostgreSQL's would keep this statement out.
    if (text === statements.lockUsers.text) await client.query(afterRead);
    return rows;
  };
  const user = newUser();
  const author = nobody(0);
  await runWrites(send, [{ kind: "insert", user, key: undefined, author }], []);
  const writes: Write[] = [
    { kind: "update", id: user.id, change: { name: "x", updatedAtMs: 1 }, expectedVersion: 1, author },
    { kind: "delete", id: user.id, expectedVersion: 1, author },
  ];
  for (const write of writes) {
    afterRead = "UPDATE users SET version = 7";
    await client.query("BEGIN");
    await expect(runWrites(send, [write], [])).rejects.toThrow(RacedError);
    await client.query("ROLLBACK");
    afterRead = "SELECT 1";
    await client.query("BEGIN");
    expect(await runWrites(send, [write], [])).toEqual([expect.not.objectContaining({ error: expect.anything() })]);
    await client.query("ROLLBACK");
  }
  await client.end();
});
