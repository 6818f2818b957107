import { sharedPostgres } from "@rollcall/testing/shared-postgres";
import { expect, test } from "vitest";
import { addressOf } from "../../../test/support/address-of.ts";
import { readLog } from "../change-log.contract.ts";
import { newUser } from "../new-user.contract.ts";
import { openPostgresUserRepository } from "./user-repository.ts";

const postgres = await sharedPostgres();

test("a dump from a server with later transactions keeps its changes in their order, and new ones come behind", async () => {
  const url = await postgres.createSchema();
  const open = () => openPostgresUserRepository({ address: addressOf(url), timeoutMs: 60_000 });
  const old = await open();
  const { settled: start, epoch } = await old.changes.head();
  for (let index = 0; index < 4; index++) await old.insert(newUser());
  const ids = (await readLog(old, start)).map(({ userId }) => userId);
  // A restored dump has transaction numbers that this server has not reached yet, and not in the order of the ids.
  await postgres.query("UPDATE changes SET xid = (xid::text::bigint + 1000000000 - 2 * id)::text::xid8", url);
  const cut = `${(1_000_000_000).toString(16).padStart(16, "0")}${"0".repeat(16)}`;
  await postgres.query(`UPDATE properties SET value = '${cut}' WHERE name = 'changes_kept_behind'`, url);
  // The control: until the next start the changes are hidden, and every place counts as too old.
  expect(await readLog(old, start)).toEqual([]);
  const head = await old.changes.head();
  expect(head.keptBehind > head.settled).toBe(true);

  const starts = await Promise.all([open(), open()]);
  const [users] = starts;
  const { epoch: newEpoch, keptBehind, settled } = await users.changes.head();
  expect(newEpoch).not.toBe(epoch);
  expect(keptBehind <= settled).toBe(true);
  const later = await users.insert(newUser());
  expect((await readLog(users, "")).map(({ userId }) => userId)).toEqual([...ids.toReversed(), later.id]);
  // The second start has nothing left to do.
  const last = await open();
  expect((await last.changes.head()).epoch).toBe(newEpoch);
  for (const each of [old, ...starts, last]) await each.close();
});
