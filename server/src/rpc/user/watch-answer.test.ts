import { expect, test } from "vitest";
import { newUser } from "../../repository/new-user.contract.ts";
import { openSqliteUserRepository } from "../../repository/sqlite/user-repository.ts";
import { UserChanges } from "../../service/user-changes.ts";
import { AnswerBatch } from "../answer-batch.ts";
import type { Codec } from "../method-plan.ts";
import { WatchAnswer, WatchAnswers } from "./watch-answer.ts";

test("changes are encoded once for all watchers of a filter, who write the same buffer", async () => {
  const repository = openSqliteUserRepository({ path: ":memory:" });
  const changes = new UserChanges({ repository, onError: expect.unreachable });
  const watchers = ["", "", "red", "RED "].map((filter) =>
    changes.watch({ resumeToken: "", includeExisting: false, filter }),
  );
  const answers = watchers.map((watcher) => new WatchAnswers(watcher).batches());
  for (const one of answers) {
    const { value } = await one.next();
    expect(value instanceof WatchAnswer && value.event.case).toBe("synced");
  }
  const next = answers.map((one) => one.next());
  await expect.poll(() => watchers.every(({ isWaiting }) => isWaiting)).toBe(true);
  await Promise.all([repository.insert(newUser({ name: "Red" })), repository.insert(newUser({ name: "Reddish" }))]);
  const [all, allToo, red, redToo] = (await Promise.all(next)).map(({ value }) =>
    value instanceof AnswerBatch ? value : expect.unreachable(),
  );
  expect(all?.answers.map(({ event }) => event.case)).toEqual(["created", "created"]);
  let encoded = 0;
  const codec: Codec = {
    read: () => expect.unreachable(),
    write(answer) {
      encoded += 1;
      return (answer as unknown as WatchAnswer).toBytes();
    },
  };
  expect(allToo?.encode(codec).bytes).toBe(all?.encode(codec).bytes);
  expect(encoded).toBe(2);
  expect(redToo?.encode(codec).bytes).toBe(red?.encode(codec).bytes);
  // The control: tokens are bound to the filter, so the bytes of two filters differ.
  expect(red?.encode(codec).bytes).not.toEqual(all?.encode(codec).bytes);
  expect(encoded).toBe(4);
  changes.close();
  await repository.close();
});
