import { expect, test } from "vitest";
import { newUser } from "../../repository/new-user.contract.ts";
import { openSqliteUserRepository } from "../../repository/sqlite/user-repository.ts";
import { UserChanges } from "../../service/user-changes.ts";
import { WatchAnswers } from "./watch-answer.ts";

test("a change is encoded once for all watchers of a filter", async () => {
  const repository = openSqliteUserRepository({ path: ":memory:" });
  const changes = new UserChanges({ repository, onError: expect.unreachable });
  const watchers = ["", "", "red", "RED "].map((filter) =>
    changes.watch({ resumeToken: "", includeExisting: false, filter }),
  );
  const answers = watchers.map((watcher) => new WatchAnswers(watcher));
  for (const one of answers) expect((await one.next()).value?.event.case).toBe("synced");
  const next = answers.map((one) => one.next());
  await expect.poll(() => watchers.every(({ isWaiting }) => isWaiting)).toBe(true);
  await repository.insert(newUser({ name: "Red" }));
  const [all, allToo, red, redToo] = (await Promise.all(next)).map(({ value }) => value);
  expect(all?.event.case).toBe("created");
  expect(allToo?.toBytes()).toBe(all?.toBytes());
  expect(redToo?.toBytes()).toBe(red?.toBytes());
  // Tokens are bound to the filter.
  expect(red?.toBytes()).not.toEqual(all?.toBytes());
  changes.close();
  await repository.close();
});
