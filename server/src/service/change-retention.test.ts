import { expect, test } from "vitest";
import { newUser } from "../repository/new-user.contract.ts";
import { openSqliteUserRepository } from "../repository/sqlite/user-repository.ts";
import { ChangeRetention } from "./change-retention.ts";

test("removes all changes that are too old or too many, in as many turns as that takes", async () => {
  const repository = openSqliteUserRepository({ path: ":memory:" });
  const { changes } = repository;
  await Promise.all(
    Array.from({ length: 2_000 }, (_, atMs) => repository.insert(newUser(), undefined, { subject: "", atMs })),
  );
  let nowMs = 2_000;
  const retention = new ChangeRetention({
    changes,
    retentionMs: 1_900,
    maxCount: 1_500,
    now: () => nowMs,
    onError: expect.unreachable,
  });
  const kept = async () => {
    await retention.trim();
    const { keptBehind } = await changes.head();
    return (await changes.read({ after: keptBehind, limit: 2_000 })).changes.map(({ author }) => author.atMs);
  };
  expect(await kept()).toEqual(Array.from({ length: 1_500 }, (_, index) => index + 500));
  nowMs = 3_000;
  expect(await kept()).toEqual(Array.from({ length: 900 }, (_, index) => index + 1_100));
  nowMs = 1e6;
  expect(await kept()).toEqual([]);
  await repository.close();
  // An unavailable database is not reported as a fault of trimming.
  await retention.trim();
});
