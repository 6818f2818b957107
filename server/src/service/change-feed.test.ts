import { withParts } from "@rollcall/testing/with-parts";
import { expect, test } from "vitest";
import { newUser } from "../repository/new-user.contract.ts";
import { openSqliteUserRepository } from "../repository/sqlite/user-repository.ts";
import { UserChanges } from "./user-changes.ts";

const WATCHERS = 100;

test("the log is read once for all watchers, who get changes that come together as one batch", async () => {
  const real = openSqliteUserRepository({ path: ":memory:" });
  let reads = 0;
  const repository = withParts(real, {
    changes: withParts(real.changes, {
      read(options) {
        reads += 1;
        return real.changes.read(options);
      },
    }),
  });
  const changes = new UserChanges({ repository, onError: expect.unreachable });
  const watchers = Array.from({ length: WATCHERS }, () =>
    changes.watch({ resumeToken: "", includeExisting: false, filter: "" }),
  );
  for (const watcher of watchers) expect(await watcher.next()).toMatchObject({ value: { kind: "synced" } });
  // The control: a watcher reads the log by itself until it has joined its group.
  const next = watchers.map((watcher) => watcher.next());
  await expect.poll(() => watchers.every(({ isWaiting }) => isWaiting)).toBe(true);
  expect(reads).toBeGreaterThanOrEqual(WATCHERS);
  reads = 0;
  await Promise.all(["First", "Second", "Third"].map((name) => real.insert(newUser({ name }))));
  const batches = (await Promise.all(next)).map(({ value }) => value);
  expect(batches[0]).toMatchObject(["First", "Second", "Third"].map((name) => ({ kind: "created", user: { name } })));
  for (const batch of batches) expect(batch).toBe(batches[0]);
  // Some more reads may have found nothing.
  expect(reads).toBeLessThan(WATCHERS / 10);
  changes.close();
  await real.close();
});
