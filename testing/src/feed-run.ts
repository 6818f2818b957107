import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { type User, UserService, type WatchUsersResponse } from "@rollcall/gen/user/v1/user";
import type { UserRepository } from "@rollcall/server";
import { type Cell, cells, createCellTransport, testCertificate } from "./matrix.ts";
import { createRandom } from "./random.ts";
import { startServer } from "./start-server.ts";
import { withParts } from "./with-parts.ts";

export interface FeedRunOptions {
  seed: number;
  /** Changes that are made, by `writers` at once. */
  changes: number;
  writers: number;
  /** Most events after which a watcher is cut off. */
  cutAfter: number;
  /** Greatest number of changes that are kept; fewer than a watcher can miss while it sleeps. */
  kept: number;
  /** Opens the database; called twice, for two replicas, if it can be. */
  open(): Promise<UserRepository>;
  replicas: 1 | 2;
  /** Called with how many of the changes are made. */
  onProgress?: (made: number) => void;
}

export interface FeedReport {
  made: number;
  /** Changes that some watcher did not see, or saw again, or after a later one; in words. */
  faults: string[];
  /** Times that a watcher was cut off and went on, and that it was told to begin anew. */
  resumes: number;
  resets: number;
  watchers: number;
  /** Watchers who have to have seen every change, since they were never told to begin anew. */
  complete: number;
}

/** What a watcher has seen: the users that match, by id, and the changes. */
class Seen {
  readonly users = new Map<string, User>();
  readonly changeIds: string[] = [];
  readonly faults: string[] = [];
  resumes = 0;
  resets = 0;
  token = "";
  /** Whether the last user is there, and all that existed. */
  get hasLast(): boolean {
    return this.#isSynced && [...this.users.values()].some(({ name }) => name === LAST.name);
  }
  #isSynced = false;
  readonly #name: string;

  constructor(name: string) {
    this.#name = name;
  }

  add({ event, resumeToken, changeId }: WatchUsersResponse): void {
    if (resumeToken !== "") this.token = resumeToken;
    if (changeId !== "") this.changeIds.push(changeId);
    const fault = (text: string) => this.faults.push(`${this.#name}: ${text} (${changeId || "existing"})`);
    switch (event.case) {
      case "created":
        if (this.users.has(event.value.id)) fault(`${event.value.id} was created twice`);
        this.users.set(event.value.id, event.value);
        break;
      case "updated": {
        const known = this.users.get(event.value.id);
        if (!known) fault(`${event.value.id} was updated before it was created`);
        else if (versionOf(event.value) !== versionOf(known) + 1) {
          fault(`${event.value.id} went from ${known.etag} to ${event.value.etag}`);
        }
        this.users.set(event.value.id, event.value);
        break;
      }
      case "removed":
        if (!this.users.delete(event.value.id)) fault(`${event.value.id} was removed, but not there`);
        break;
      case "synced":
        this.#isSynced = true;
        break;
      case "reset":
        this.begin();
        break;
    }
  }

  /** Forgets everything: the stream begins anew. */
  begin(): void {
    this.resets += 1;
    this.#isSynced = false;
    this.token = "";
    this.users.clear();
  }
}

function versionOf({ etag }: User): number {
  return Number(etag.slice(1, -1));
}

/** The user that is created last, whom all filters find. */
const LAST = { name: "Red Green", email: "last@example.com" };
const FILTERS = ["", "red", "gr example"];
const NAMES = ["Red One", "Green Two", "Blue Three", "Redgreen Four"];

/**
 * Has writers change users at random, watchers of every protocol and several filters be cut off and go on at random, and
 * the log be trimmed under them. Compares what they have seen with the changes that were acknowledged, with one another,
 * and with the users that are left.
 */
export async function runFeed(options: FeedRunOptions): Promise<FeedReport> {
  const { seed, changes, writers, cutAfter, kept, open, replicas } = options;
  const random = createRandom(seed);
  const real = await open();
  const shared = withParts(real, { close: async () => {} });
  await using plain = await startServer({ repository: shared });
  await using secure = await startServer({
    repository: replicas === 1 ? shared : await open(),
    tls: testCertificate,
  });
  const writing = createClient(UserService, await createCellTransport(plain, cellOf("gRPC", "h2c")));
  const writingElsewhere = createClient(UserService, await createCellTransport(secure, cellOf("gRPC", "TLS with h2")));
  const users: User[] = [];
  let made = 0;
  let acknowledged = 0;
  let isOver = false;

  const pause = () => new Promise<void>((resolve) => setTimeout(resolve, random.below(3)));
  const write = async () => {
    while (made < changes) {
      made += 1;
      if (made % 500 === 0) options.onProgress?.(made);
      const index = random.below(users.length || 1);
      const user = users[index];
      const kind = random.below(10);
      if (!user || kind < 3 || users.length < 50) {
        const name = random.pick(NAMES);
        const created = await writing.createUser({ email: `u${made}@${random.pick(["example", "other"])}.com`, name });
        if (!created.user) throw new Error("no user");
        users.push(created.user);
        acknowledged += 1;
      } else if (kind < 9) {
        if (await ignoreMissing(writingElsewhere.updateUser({ id: user.id, name: random.pick(NAMES) })))
          acknowledged += 1;
      } else {
        users.splice(index, 1);
        if (await ignoreMissing(writing.deleteUser({ id: user.id }))) acknowledged += 1;
      }
      await pause();
    }
  };
  const trim = async () => {
    while (!isOver) {
      await real.changes.trim({ notBeforeMs: 0, maxCount: kept, limit: 256 });
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  /** Follows the changes until it has seen the last user; is cut off now and then. */
  const watch = async (cell: Cell, filter: string, seen: Seen, manner: "steady" | "restless" | "sleepy") => {
    const server = cell.tls ? secure : plain;
    const client = createClient(UserService, await createCellTransport(server, cell));
    for (;;) {
      const controller = new AbortController();
      let left = isOver || manner === "steady" ? Number.POSITIVE_INFINITY : 1 + random.below(cutAfter);
      const request = { resumeToken: seen.token, includeExisting: true, filter };
      // Cut off among the users that exist, it begins anew.
      if (seen.token === "" && seen.users.size > 0) seen.begin();
      try {
        for await (const event of client.watchUsers(request, { signal: controller.signal })) {
          seen.add(event);
          if (seen.hasLast) return;
          if (--left === 0) break;
        }
      } catch (error) {
        if (ConnectError.from(error).code !== Code.Canceled) throw error;
      } finally {
        controller.abort();
      }
      seen.resumes += 1;
      if (manner === "sleepy" && !isOver) await new Promise((resolve) => setTimeout(resolve, random.below(400)));
    }
  };

  const start = (cell: Cell, index: number, firstManner: "steady" | "restless") => {
    const filter = FILTERS[index % FILTERS.length] ?? "";
    const seen = new Seen(`${cell.protocol} over ${cell.connection}, "${filter}"`);
    const manner = index % 4 === 3 ? "sleepy" : index % 4 === 0 ? firstManner : "restless";
    return { filter, seen, done: watch(cell, filter, seen, manner) };
  };
  const early = cells.map((cell, index) => start(cell, index, "steady"));
  // Whoever was there first has to see every change.
  while (early.some(({ seen }) => seen.token === "")) await pause();
  const trimming = trim();
  const writes = Promise.all(Array.from({ length: writers }, write));
  const late = cells.map((cell, index) => start(cell, index, "restless"));
  await writes;
  await writing.createUser(LAST);
  acknowledged += 1;
  isOver = true;
  await trimming;
  const watched = [...early, ...late];
  await Promise.all(watched.map(({ done }) => done));

  const faults = watched.flatMap(({ seen }) => seen.faults);
  let complete = 0;
  for (const { filter, seen } of watched) {
    const found: User[] = [];
    for (let pageToken = ""; ; ) {
      const page = await writing.listUsers({ filter, pageToken, pageSize: 1_000 });
      found.push(...page.users);
      pageToken = page.nextPageToken;
      if (pageToken === "") break;
    }
    const expected = JSON.stringify(found.map(({ id, etag }) => [id, etag]).sort());
    const actual = JSON.stringify([...seen.users.values()].map(({ id, etag }) => [id, etag]).sort());
    if (actual !== expected) faults.push(`"${filter}": the users that are left differ from the list`);
    if (new Set(seen.changeIds).size !== seen.changeIds.length) faults.push(`"${filter}": a change came twice`);
    const sorted = seen.changeIds.toSorted();
    if (sorted.some((id, index) => id !== seen.changeIds[index])) faults.push(`"${filter}": out of order`);
    const isComplete = filter === "" && seen.resets === 0 && early.some((one) => one.seen === seen);
    if (isComplete && seen.changeIds.length !== acknowledged) {
      faults.push(`of ${acknowledged} changes, ${seen.changeIds.length} were seen`);
    }
    complete += isComplete ? 1 : 0;
  }
  await real.close();
  return {
    made: acknowledged,
    faults,
    complete,
    resumes: watched.reduce((sum, { seen }) => sum + seen.resumes, 0),
    resets: watched.reduce((sum, { seen }) => sum + seen.resets, 0),
    watchers: watched.length,
  };
}

function cellOf(protocol: string, connection: string): Cell {
  const cell = cells.find((one) => one.protocol === protocol && one.connection === connection);
  if (!cell) throw new Error(`no ${protocol} over ${connection}`);
  return cell;
}

async function ignoreMissing<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    // Another writer has removed the user.
    if (ConnectError.from(error).code === Code.NotFound) return undefined;
    throw error;
  }
}
