import { EmailTakenError, StaleUserError, UserNotFoundError } from "../../domain/errors.ts";
import type { LoggedChange } from "../../domain/logged-change.ts";
import { searchKey, type User } from "../../domain/user.ts";
import { wordsOfUser } from "../../domain/user-words.ts";
import { type RememberedRequest, replay } from "../replay.ts";
import { toWords, toWordsText } from "../words-text.ts";
import { possibleIds } from "./possible-ids.ts";
import type { Statement } from "./statements.ts";
import { statements } from "./statements.ts";
import type { Outcome, Write } from "./write.ts";

/** Expired create requests that each create removes. It removes more than it adds, so that they can't pile up. */
const PURGED_WITH_EACH_CREATE = 4;

/** Another transaction was in the way. This one has to be rolled back, and can be run again. */
export class RacedError extends Error {}

const MOVED = "a locked user was changed elsewhere";

/** Sends a statement immediately, without waiting for the results of earlier ones. */
export type Send = <T extends object>(statement: Statement, values?: readonly unknown[]) => Promise<T[]>;

type Insert = Extract<Write, { kind: "insert" }>;
type StoredUser = User & { readonly words: string };

/** A change for the log. */
interface Change extends Pick<LoggedChange, "author" | "before" | "after"> {}

/** A user that the batch changes or deletes. */
interface Target {
  readonly stored: StoredUser;
  /** Undefined once it is deleted. */
  current: User | undefined;
}

/**
 * Runs writes in the open transaction, in three round trips at most. No statement fails because of a caller's request,
 * so a refused write does not affect the others.
 *
 * @returns The outcomes in the order of the writes, to be reported once the transaction is committed.
 * @throws RacedError, or an error of PostgreSQL. Nothing may then be committed.
 */
export async function runWrites(send: Send, writes: readonly Write[], first: Promise<unknown>[]): Promise<Outcome[]> {
  const ids = possibleIds(writes.flatMap((write) => (write.kind === "insert" ? [] : [write.id])));
  const inserts = writes.filter((write) => write.kind === "insert");
  const [stored, remembered] = await Promise.all([
    ids.length > 0 ? send<StoredUser>(statements.lockUsers, [ids]) : [],
    findRequests(send, inserts),
    ...first,
  ]);
  const targets = new Map(stored.map((user) => [user.id, { stored: user, current: user } as Target]));
  const made: Change[] = [];
  const outcomes = writes.map((write) => (write.kind === "insert" ? undefined : change(targets, write, made)));

  const pending = inserts.filter((insert) => !remembered.has(insert));
  const [, refused, created] = await Promise.all([
    remove(send, targets),
    update(send, targets),
    insertAll(send, pending),
  ]);
  // Another server may have committed the same request since the first look-up. If so, its e-mail is now taken by the
  // same user.
  const [rivals] = await Promise.all([
    findRequests(
      send,
      pending.filter(({ user }) => !created.has(user.id)),
    ),
    log(send, [
      ...pending.flatMap(({ user, author }) =>
        created.has(user.id) ? [{ author, before: undefined, after: user }] : [],
      ),
      ...made.filter(({ before }) => !refused.has(before?.id ?? "")),
    ]),
  ]);
  return writes.map((write, index) => {
    if (write.kind !== "insert") {
      return refused.has(write.id) ? { error: new EmailTakenError() } : (outcomes[index] as Outcome);
    }
    const known = remembered.get(write) ?? rivals.get(write);
    if (known && write.key) {
      const { key } = write;
      return settle(() => replay(key, known));
    }
    return created.has(write.user.id) ? { value: write.user } : { error: new EmailTakenError() };
  });
}

function settle(act: () => User | undefined): Outcome {
  try {
    return { value: act() };
  } catch (error) {
    return { error };
  }
}

/** Changes or deletes a user in memory, while its row is locked. */
function change(targets: ReadonlyMap<string, Target>, write: Exclude<Write, Insert>, made: Change[]): Outcome {
  return settle(() => {
    const { id, expectedVersion } = write;
    const target = targets.get(id);
    const user = target?.current;
    if (!target || !user) throw new UserNotFoundError(id);
    if (expectedVersion !== undefined && expectedVersion !== user.version) throw new StaleUserError(id);
    target.current = write.kind === "delete" ? undefined : changed(user, write.change);
    made.push({ author: write.author, before: user, after: target.current });
    return target.current;
  });
}

function changed(user: User, change: Extract<Write, { kind: "update" }>["change"]): User {
  return {
    id: user.id,
    email: change.email ?? user.email,
    name: change.name ?? user.name,
    createdAtMs: user.createdAtMs,
    // Even if the clock was set back, a user's time of change must not decrease.
    updatedAtMs: Math.max(change.updatedAtMs, user.updatedAtMs),
    version: user.version + 1,
  };
}

/** Logs changes, in their order. */
async function log(send: Send, changes: readonly Change[]): Promise<void> {
  if (changes.length === 0) return;
  const toText = (user: User | undefined) => (user ? JSON.stringify(toPlain(user)) : null);
  await send(statements.logChanges, [
    changes.map(({ before, after }) => (after ?? before)?.id),
    changes.map(({ author }) => author.atMs),
    changes.map(({ author }) => author.subject),
    changes.map(({ before }) => toText(before)),
    changes.map(({ after }) => toText(after)),
  ]);
}

/** Returns only the fields of the user, without the other columns of its row. */
function toPlain({ id, email, name, createdAtMs, updatedAtMs, version }: User): User {
  return { id, email, name, createdAtMs, updatedAtMs, version };
}

async function findRequests(send: Send, inserts: readonly Insert[]): Promise<Map<Insert, RememberedRequest>> {
  const keyed = inserts.flatMap((insert) => (insert.key ? [{ insert, key: insert.key }] : []));
  if (keyed.length === 0) return new Map();
  const rows = await send<RememberedRequest & { place: number }>(statements.findRequests, [
    keyed.map(({ key }) => key.principal),
    keyed.map(({ key }) => key.requestId),
    keyed.map(({ key }) => key.notBeforeMs),
  ]);
  return new Map(rows.flatMap((row) => (keyed[row.place - 1] ? [[keyed[row.place - 1]?.insert as Insert, row]] : [])));
}

async function remove(send: Send, targets: ReadonlyMap<string, Target>): Promise<void> {
  const gone = [...targets.values()].flatMap(({ stored, current }) => (current ? [] : [stored]));
  if (gone.length === 0) return;
  const words = gone.flatMap(({ id, words }) => toWords(words).map((word) => [word, id] as const));
  const rows = await send(statements.delete, [
    gone.map(({ id }) => id),
    gone.map(({ version }) => version),
    words.map(([word]) => word),
    words.map(([, id]) => id),
  ]);
  if (rows.length < gone.length) throw new RacedError(MOVED);
}

/** Updates the changed users. Returns the ids of those whose new e-mail is taken. */
async function update(send: Send, targets: ReadonlyMap<string, Target>): Promise<ReadonlySet<string>> {
  const changes = [...targets.values()].flatMap(({ stored, current }) =>
    current && current !== stored ? [{ stored, current, words: toWordsText(wordsOfUser(current)) }] : [],
  );
  if (changes.length === 0) return new Set();
  const differences = changes.map(({ stored, current, words }) => {
    const [before, after] = [toWords(stored.words), toWords(words)];
    return {
      id: current.id,
      old: before.filter((word) => !after.includes(word)),
      more: after.filter((word) => !before.includes(word)),
    };
  });
  const pairs = (key: "old" | "more") => [
    differences.flatMap((difference) => difference[key]),
    differences.flatMap((difference) => difference[key].map(() => difference.id)),
  ];
  const rows = await send<{ id: string; isChanged: boolean; isSame: boolean }>(statements.update, [
    changes.map(({ current }) => current.id),
    changes.map(({ current }) => current.email),
    // An unchanged e-mail keeps its key, even one that no new e-mail could get (`refresh-search-keys.ts`).
    changes.map(({ current, stored }) => (current.email === stored.email ? null : searchKey(current.email))),
    changes.map(({ current }) => current.name),
    changes.map(({ current }) => searchKey(current.name)),
    changes.map(({ words }) => words),
    changes.map(({ current }) => current.updatedAtMs),
    changes.map(({ current }) => current.version),
    changes.map(({ stored }) => stored.version),
    ...pairs("old"),
    ...pairs("more"),
  ]);
  if (rows.some(({ isSame }) => !isSame)) throw new RacedError(MOVED);
  return new Set(rows.flatMap(({ id, isChanged }) => (isChanged ? [] : [id])));
}

/** Inserts users. Returns the ids of those whose e-mail was free. */
async function insertAll(send: Send, inserts: readonly Insert[]): Promise<ReadonlySet<string>> {
  if (inserts.length === 0) return new Set();
  const users = inserts.map(({ user }) => user);
  const keys = inserts.map(({ key }) => key);
  const keyed = keys.filter((key) => key !== undefined);
  const rows = send<{ id: string; remembered: number }>(statements.insert, [
    users.map(({ id }) => id),
    users.map(({ email }) => email),
    users.map(({ email }) => searchKey(email)),
    users.map(({ name }) => name),
    users.map(({ name }) => searchKey(name)),
    users.map((user) => toWordsText(wordsOfUser(user))),
    users.map(({ createdAtMs }) => createdAtMs),
    users.map(({ updatedAtMs }) => updatedAtMs),
    users.map(({ version }) => version),
    keys.map((key) => key?.principal ?? null),
    keys.map((key) => key?.requestId ?? null),
    keys.map((key) => key?.requestHash ?? null),
    inserts.map(({ key, user }) => (key ? JSON.stringify(user) : null)),
    keys.map((key) => key?.notBeforeMs ?? null),
  ]);
  const purged =
    keyed.length > 0 &&
    send(statements.purgeRequests, [
      Math.min(...keyed.map(({ notBeforeMs }) => notBeforeMs)),
      keyed.length * PURGED_WITH_EACH_CREATE,
    ]);
  const [created] = await Promise.all([rows, purged]);
  const ids = new Set(created.map(({ id }) => id));
  const toRemember = inserts.filter(({ user, key }) => key && ids.has(user.id)).length;
  if ((created[0]?.remembered ?? 0) < toRemember) throw new RacedError("the same request is under way elsewhere");
  return ids;
}
