import { expect, test } from "vitest";
import type { Author, ChangePlace, LoggedChange } from "../domain/logged-change.ts";
import { randomUuidV7 } from "../runtime/uuid-v7.ts";
import { newUser } from "./new-user.contract.ts";
import type { IdempotencyKey, UserRepository } from "./user-repository.ts";

/** Reads the log to its end, some changes at a time. */
export async function readLog({ changes }: UserRepository, after: ChangePlace, limit = 1_000): Promise<LoggedChange[]> {
  const all: LoggedChange[] = [];
  for (let place = after; ; ) {
    const page = await changes.read({ after: place, limit });
    expect(page.place >= place).toBe(true);
    all.push(...page.changes);
    if (page.changes.length < limit) return all;
    place = page.place;
  }
}

/** Tests the part of the contract that concerns the log of changes. */
export function describeChangeLog(open: () => Promise<UserRepository & AsyncDisposable>): void {
  const ada: Author = { subject: "ada", atMs: 1_000 };

  test("logs each change once, with its author, before and after", async () => {
    await using users = await open();
    const { settled } = await users.changes.head();
    const user = newUser();
    await users.insert(user, undefined, ada);
    const updated = await users.update(user.id, { name: "B", updatedAtMs: 2_000 }, 1, {
      subject: "grace",
      atMs: 2_000,
    });
    await users.delete(user.id, 2, { subject: "alan", atMs: 3_000 });
    const log = await readLog(users, settled, 2);
    expect(log.map(({ place: _, ...change }) => change)).toEqual([
      { userId: user.id, author: ada, before: undefined, after: user },
      { userId: user.id, author: { subject: "grace", atMs: 2_000 }, before: user, after: updated },
      { userId: user.id, author: { subject: "alan", atMs: 3_000 }, before: updated, after: undefined },
    ]);
    const places = log.map(({ place }) => place);
    expect(places.toSorted()).toEqual(places);
    expect(new Set([settled, ...places]).size).toBe(4);
    expect((await users.changes.head()).written >= (places[2] ?? "")).toBe(true);
  });

  test("logs nothing of a write that was refused, or repeated", async () => {
    await using users = await open();
    const key: IdempotencyKey = { principal: "ada", requestId: "1", requestHash: "a", notBeforeMs: 0 };
    const user = await users.insert(newUser(), key);
    const { settled } = await users.changes.head();
    const refused = [
      users.insert({ ...user, id: randomUuidV7() }),
      users.insert(newUser(), { ...key, requestHash: "b" }),
      users.update("nobody", { name: "B", updatedAtMs: 1 }),
      users.update(user.id, { name: "B", updatedAtMs: 1 }, 7),
      users.delete(user.id, 7),
    ];
    const outcomes = await Promise.allSettled([...refused, users.insert(newUser(), key)]);
    expect(outcomes.map(({ status }) => status)).toEqual([...refused.map(() => "rejected"), "fulfilled"]);
    expect(await readLog(users, settled)).toEqual([]);
  });

  test("shows changes that are made at once in an order that holds for each user, whoever reads meanwhile", async () => {
    await using users = await open();
    const { settled } = await users.changes.head();
    const people = await Promise.all(Array.from({ length: 20 }, () => users.insert(newUser())));
    const writes = people.flatMap(({ id }) =>
      Array.from({ length: 10 }, (_, index) => users.update(id, { name: `N${index}`, updatedAtMs: index })),
    );
    let isDone = false;
    const written = Promise.all(writes).then(() => {
      isDone = true;
    });
    const seen: LoggedChange[] = [];
    for (let place = settled; !isDone || seen.length < 220; ) {
      const page = await users.changes.read({ after: place, limit: 7 });
      seen.push(...page.changes);
      place = page.place;
      await new Promise((resolve) => setImmediate(resolve));
    }
    await written;
    expect(seen).toHaveLength(220);
    expect(seen).toEqual(await readLog(users, settled));
    for (const { id } of people) {
      const own = seen.filter(({ userId }) => userId === id);
      expect(own.map(({ after }) => after?.version)).toEqual(Array.from({ length: 11 }, (_, index) => index + 1));
      expect(own.slice(1).map(({ before }) => before)).toEqual(own.slice(0, -1).map(({ after }) => after));
    }
  });

  test("calls back after a change, until it is asked not to", async () => {
    await using users = await open();
    let calls = 0;
    const stop = users.changes.onCommit(() => {
      calls += 1;
    });
    await users.insert(newUser());
    await expect.poll(() => calls).toBeGreaterThan(0);
    stop();
    const before = calls;
    await users.insert(newUser());
    expect(calls).toBe(before);
  });

  test("returns the history of one user, the latest change first, in pages", async () => {
    await using users = await open();
    const [user, other] = [newUser(), newUser()];
    await Promise.all([users.insert(user), users.insert(other)]);
    for (let index = 0; index < 5; index++) {
      await users.update(user.id, { name: `N${index}`, updatedAtMs: 1 });
      await users.update(other.id, { name: `N${index}`, updatedAtMs: 1 });
    }
    const history = async (userId: string, limit: number, before?: ChangePlace) =>
      (await users.changes.history({ userId, limit, before })).changes;
    const all = await history(user.id, 100);
    expect(all.map(({ after }) => after?.version)).toEqual([6, 5, 4, 3, 2, 1]);
    expect(all.every(({ userId }) => userId === user.id)).toBe(true);
    const first = await history(user.id, 4);
    const rest = await history(user.id, 4, first.at(-1)?.place);
    expect([...first, ...rest]).toEqual(all);
    expect(await history("nobody", 4)).toEqual([]);
  });

  test("trims the oldest changes by age and by number, and says up to which, even when none is left", async () => {
    await using users = await open();
    const { settled: start, epoch } = await users.changes.head();
    const { id } = await users.insert(newUser(), undefined, { subject: "", atMs: 0 });
    for (let atMs = 1; atMs < 10; atMs++)
      await users.update(id, { updatedAtMs: atMs }, undefined, { subject: "", atMs });
    await users.delete(id, undefined, { subject: "", atMs: 10 });
    const places = (await readLog(users, start)).map(({ place }) => place);
    const trim = (notBeforeMs: number, maxCount: number, limit = 100) =>
      users.changes.trim({ notBeforeMs, maxCount, limit });
    const keptBehind = async () => (await users.changes.head()).keptBehind;
    expect(await trim(0, 100)).toBe(0);
    expect((await keptBehind()) <= start).toBe(true);
    expect(await trim(4, 100, 3)).toBe(3);
    expect(await keptBehind()).toBe(places[2]);
    expect(await trim(4, 100, 3)).toBe(1);
    expect(await trim(0, 5)).toBe(2);
    expect(await keptBehind()).toBe(places[5]);
    expect((await readLog(users, places[5] ?? "")).map(({ place }) => place)).toEqual(places.slice(6));
    // The last change is the user's removal: a reader before it has missed it, though the log is empty.
    expect(await trim(11, 100)).toBe(5);
    expect(await keptBehind()).toBe(places[10]);
    const page = await users.changes.read({ after: places[9] ?? "", limit: 10 });
    expect(page.keptBehind > (places[9] ?? "")).toBe(true);
    await users.insert(newUser());
    expect(await readLog(users, places[10] ?? "")).toHaveLength(1);
    expect((await users.changes.head()).epoch).toBe(epoch);
  });

  test("has an epoch of its own", async () => {
    await using users = await open();
    await using others = await open();
    const { epoch } = await users.changes.head();
    expect(epoch).toMatch(/^[\da-f]{16}$/);
    expect((await others.changes.head()).epoch).not.toBe(epoch);
  });
}
