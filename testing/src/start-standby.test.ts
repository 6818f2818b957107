import { expect, test } from "vitest";
import { startPostgres } from "./start-postgres.ts";
import { startStandby, waitForStandby } from "./start-standby.ts";

test("a standby has what its primary committed, answers reads, and takes writes once it is promoted", async () => {
  await using primary = await startPostgres();
  await primary.query("CREATE TABLE words AS SELECT 'before' AS word");
  await using standby = await startStandby(primary, "first");
  await primary.query("INSERT INTO words VALUES ('asynchronous')");
  await waitForStandby(primary, "first");
  await primary.query("INSERT INTO words VALUES ('synchronous')");
  await primary.kill();
  const words = [{ word: "before" }, { word: "asynchronous" }, { word: "synchronous" }];
  await expect.poll(() => standby.query("SELECT word FROM words")).toEqual(words);
  await expect(standby.query("INSERT INTO words VALUES ('refused')")).rejects.toThrow("read-only transaction");
  await standby.promote();
  await standby.query("INSERT INTO words VALUES ('after')");
  expect(await standby.query("SELECT word FROM words")).toEqual([...words, { word: "after" }]);
});
