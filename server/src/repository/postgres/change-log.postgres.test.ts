import { sharedPostgres } from "@rollcall/testing/shared-postgres";
import { expect, test } from "vitest";
import { addressOf } from "../../../test/support/address-of.ts";
import { newUser } from "../new-user.contract.ts";
import { connectPrepared } from "./open.ts";
import { openPostgresUserRepository } from "./user-repository.ts";

const postgres = await sharedPostgres();

test("a change that gets its number first and is committed last is not missed; by its number alone it would be", async () => {
  const url = await postgres.createSchema();
  const address = addressOf(url);
  const users = await openPostgresUserRepository({ address, timeoutMs: 60_000 });
  const slow = await connectPrepared({ address });
  const { settled: start } = await users.changes.head();
  await slow.query("BEGIN");
  await slow.query("INSERT INTO changes (user_id, changed_at_ms, changed_by, after) VALUES ('slow', 1, '', $1)", [
    JSON.stringify(newUser({ id: "slow" })),
  ]);
  const { id } = await users.insert(newUser());
  // The control: a reader that goes by the number alone sees the later change, and misses the earlier one.
  const byNumber = await postgres.query("SELECT user_id, id::int FROM changes", url);
  expect(byNumber).toEqual([{ user_id: id, id: 2 }]);
  const early = await users.changes.read({ after: start, limit: 10 });
  expect(early.changes).toEqual([]);
  const { written } = await users.changes.head();
  expect(early.place < written).toBe(true);
  await slow.query("COMMIT");
  const late = await users.changes.read({ after: early.place, limit: 10 });
  expect(late.changes.map(({ userId }) => userId)).toEqual(["slow", id]);
  expect(late.place >= written).toBe(true);
  await slow.end();
  await users.close();
});
