import { setTimeout as delay } from "node:timers/promises";
import { equals } from "@bufbuild/protobuf";
import { type User, UserSchema } from "@rollcall/gen/user/v1/user";
import { NEVER } from "@rollcall/testing/linearizability/history";
import { UNKNOWN } from "@rollcall/testing/linearizability/model";
import { CALL, type UsersClient } from "./connect-users.ts";
import { outcomeOf, type Refusal } from "./outcome.ts";
import type { Write, Writer } from "./writer.ts";

/**
 * Number of writers whose writes are repeated at the same time, and the delay before a refused write is repeated, in
 * milliseconds.
 */
const AT_ONCE = 64;
const RETRY_MS = 50;

/** Comparison of the answers that writers got with the server's data, after one round or many. */
export interface Findings {
  /** Acknowledged writes that the server does not have. There must be none. */
  readonly lost: string[];
  /** Writes that were made twice or after a refusal, and users that nobody created. There must be none. */
  readonly doubled: string[];
  /** Number of writes without an answer that were made … */
  unheard: number;
  /** … and that were not made. */
  unmade: number;
}

export function noFindings(): Findings {
  return { lost: [], doubled: [], unheard: 0, unmade: 0 };
}

/** Adds the findings of one round's audit to the sums in `findings`. */
export function addAudit(findings: Findings, { lost, doubled, unheard, unmade }: Findings): void {
  findings.lost.push(...lost);
  findings.doubled.push(...doubled);
  findings.unheard += unheard;
  findings.unmade += unmade;
}

/**
 * Compares the writers' users with the server's. Repeats each write whose answer was lost, as a careful client does,
 * and leaves no write pending. No writer may be running.
 */
export async function audit(client: UsersClient, writers: readonly Writer[]): Promise<Findings> {
  const found = noFindings();
  const kept = await listUsers(client);
  const known = new Set<string>();
  for (const writer of writers) {
    compare(writer, kept, found);
    found.lost.push(...writer.refusals.splice(0));
    for (const id of writer.users.keys()) known.add(id);
    const { pending } = writer;
    if (pending?.kind === "create") {
      for (const { id, email } of kept.values()) if (email === pending.email) known.add(id);
    }
  }
  for (const { id, email } of kept.values()) if (!known.has(id)) found.doubled.push(`nobody made ${email}`);
  for (let start = 0; start < writers.length; start += AT_ONCE) {
    const some = writers.slice(start, start + AT_ONCE);
    await Promise.all(some.map((writer) => settle(client, writer, kept, found)));
    await Promise.all(some.map((writer) => replay(client, writer, found)));
  }
  return found;
}

/** Lists all users by id. */
export async function listUsers(client: UsersClient): Promise<Map<string, User>> {
  const users = new Map<string, User>();
  for (let pageToken = ""; ; ) {
    const read = () => client.listUsers({ pageSize: 1_000, pageToken }, CALL).catch(outcomeOf);
    const page = await insist(read);
    if (typeof page !== "object") continue;
    for (const user of page.users) users.set(user.id, user);
    pageToken = page.nextPageToken;
    if (pageToken === "") return users;
  }
}

/** Looks for acknowledged users that differ from their acknowledged state, except the user that is being written. */
function compare({ users, deletedIds, pending }: Writer, kept: ReadonlyMap<string, User>, { lost }: Findings): void {
  const written = pending && pending.kind !== "create" ? pending.before.id : undefined;
  for (const [id, user] of users) {
    const now = kept.get(id);
    if (id !== written && !(now && equals(UserSchema, now, user))) lost.push(`${user.name} is ${now?.name ?? "gone"}`);
  }
  for (const id of deletedIds) if (kept.has(id)) lost.push(`the end of ${kept.get(id)?.name}`);
}

/** Repeats a call until the server no longer refuses it as unavailable. */
async function insist<T>(call: () => Promise<T>): Promise<T> {
  for (;;) {
    const outcome = await call();
    if (outcome !== NEVER) return outcome;
    await delay(RETRY_MS);
  }
}

/** Finds out whether a write without an answer was made, and repeats it. */
async function settle(
  client: UsersClient,
  writer: Writer,
  kept: ReadonlyMap<string, User>,
  found: Findings,
): Promise<void> {
  const { pending } = writer;
  if (!pending) return;
  let now = kept;
  let wasMade = isMade(pending, now);
  const again = () => writer.make(client, pending).then(() => undefined, outcomeOf);
  let refusal = await insist(again);
  // If the repetition got no clear answer either, because the server is busy, its users are listed again.
  while (refusal === UNKNOWN) {
    now = await listUsers(client);
    wasMade = isMade(pending, now);
    refusal = await insist(again);
  }
  if (wasMade === undefined) found.lost.push(`${pending.kind} left something else behind`);
  found[wasMade ? "unheard" : "unmade"] += 1;
  const expected = wasMade ? refusalOfSecond(pending) : undefined;
  if (refusal !== expected) found.doubled.push(`${pending.kind} again: ${String(refusal)}, not ${expected}`);
  if (wasMade) adopt(writer, pending, now, found);
  writer.pending = undefined;
}

/** Returns undefined if the server has neither the state before the write nor the one after it. */
function isMade(write: Write, kept: ReadonlyMap<string, User>): boolean | undefined {
  if (write.kind === "create") return kept.values().some(({ email }) => email === write.email);
  const { before } = write;
  const now = kept.get(before.id);
  if (now && equals(UserSchema, now, before)) return false;
  if (write.kind === "delete") return now ? undefined : true;
  return now?.name === write.name && now.email === before.email ? true : undefined;
}

/** Returns the answer that a repetition gets if the first attempt was made. */
function refusalOfSecond(write: Write): Refusal | undefined {
  if (write.kind === "create") return write.requestId === "" ? "taken" : undefined;
  return write.kind === "update" ? "stale" : "not found";
}

/** Records the server's state from before the repetition, which must not have changed anything. */
function adopt(writer: Writer, write: Write, kept: ReadonlyMap<string, User>, found: Findings): void {
  if (write.kind === "delete") {
    writer.forget(write.before.id);
    return;
  }
  const now = kept
    .values()
    .find(({ id, email }) => (write.kind === "update" ? id === write.before.id : email === write.email));
  if (!now) return;
  const told = writer.users.get(now.id);
  if (write.kind === "create" && write.requestId !== "" && !(told && equals(UserSchema, told, now))) {
    found.doubled.push(`${write.name} is another user when asked for again`);
  }
  writer.users.set(now.id, now);
}

/** Repeats the latest create with a request id, whether or not its user still exists. */
async function replay(client: UsersClient, { replayable }: Writer, { doubled }: Findings): Promise<void> {
  if (!replayable) return;
  const { creation, id } = replayable;
  const again = () => client.createUser({ ...creation }, CALL).then(({ user }) => user?.id, outcomeOf);
  let answer = await insist(again);
  // The request id makes this safe.
  while (answer === UNKNOWN) answer = await insist(again);
  if (answer !== id) doubled.push(`${creation.name} again: ${String(answer)}`);
}
