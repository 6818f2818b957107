import { sharedPostgres } from "@rollcall/testing/shared-postgres";
import { expect, test, vi } from "vitest";
import { addressOf } from "../../../test/support/address-of.ts";
import { openPostgres } from "./open.ts";
import { PostgresUserList } from "./user-list.ts";

const postgres = await sharedPostgres();

test("a search that nobody wants any more runs no further statement", async () => {
  const pool = await openPostgres({ address: addressOf(await postgres.createSchema()), timeoutMs: 60_000 });
  const run = pool.query.bind(pool);
  let onQuery = () => {};
  const query = vi.spyOn(pool, "query").mockImplementation((...statement) => {
    const rows = run(...statement);
    onQuery();
    return rows;
  });
  const list = new PostgresUserList(pool);
  const search = { words: ["ada", "lovelace"], limit: 10 };
  const searches = [
    (signal?: AbortSignal) => list.page({ ...search, signal }),
    (signal?: AbortSignal) => list.count({ ...search, signal }),
  ];
  for (const start of searches) {
    query.mockClear();
    await start();
    expect(query).toHaveBeenCalledTimes(2);

    query.mockClear();
    const controller = new AbortController();
    onQuery = () => controller.abort(new Error("gone"));
    await expect(start(controller.signal)).rejects.toThrow("gone");
    onQuery = () => {};
    // The first statement is read to its end. By the time that another page arrives, a second statement would have
    // begun.
    await list.page({ limit: 1 });
    await list.page({ limit: 1 });
    expect(query).toHaveBeenCalledTimes(3);
  }
  await pool.close();
});
