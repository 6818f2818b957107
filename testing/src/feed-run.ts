import type { MessageInitShape } from "@bufbuild/protobuf";
import { type Client, Code, ConnectError, createClient } from "@connectrpc/connect";
import {
  type User,
  UserService,
  type WatchUsersRequestSchema,
  type WatchUsersResponse,
} from "@rollcall/gen/user/v1/user";
import type { UserRepository } from "@rollcall/server";
import { LAST_USER, Seen } from "./feed-seen.ts";
import { type Cell, cells, createCellTransport, testCertificate } from "./matrix.ts";
import { createRandom } from "./random.ts";
import { startServer, type TestServer } from "./start-server.ts";
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
  /** Ways in which servers are watched. Default: the matrix's. */
  only?: readonly WatchWay[];
  /** Folder of pages that the servers serve. */
  webRoot?: string;
  /** For a control: whether the run becomes longer, within bounds, as long as nobody has seen a fault. */
  isFaultWanted?: boolean;
}

export type WatchRequest = MessageInitShape<typeof WatchUsersRequestSchema>;
/** Opens one stream of events. */
export type OpenWatch = (request: WatchRequest, signal: AbortSignal) => AsyncIterable<WatchUsersResponse>;

export interface FeedServers {
  readonly plain: TestServer;
  readonly secure: TestServer;
}

/** How a watcher reaches a server. */
export interface WatchWay {
  readonly name: string;
  open(servers: FeedServers): Promise<OpenWatch>;
}

export interface FeedReport {
  made: number;
  /** Changes that some watcher did not see, or saw again, or after a later one; in words. */
  faults: string[];
  /** Times that a watcher was cut off and went on, and that it was told to begin anew. */
  resumes: number;
  resets: number;
  /** Times that it went on behind a `progress`, and that `synced` came when all had come that was written before. */
  resumesBehindProgress: number;
  readsOfWrites: number;
  /** Times that the log was cut off behind a removal, and that a change was committed after one with a later number. */
  cutsAtRemovals: number;
  overtaken: number;
  /** Changes that were seen, by all watchers together. */
  events: number;
  watchers: number;
  /** Watchers who have to have seen every change, since they were never told to begin anew. */
  complete: number;
  /** Ways by which nobody was cut off, or saw a change. */
  unhit: string[];
}

/** Finds nobody but the last user: its watchers live by `progress`. */
const QUIET = "last";
const FILTERS = ["", "red", "gr example", QUIET];
/** Most events after which such a watcher is cut off: they come by time. */
const QUIET_CUT_AFTER = 5;
/** How many times as long a run may become in which not all has been hit yet. */
const MAX_LENGTHENING = 10;
/** Pause of a writer between two changes of such a lengthened run. */
const LENGTHENED_PAUSE_MS = 100;
/** Users at once: whoever begins anew gets them all. */
const MAX_USERS = 1_000;
const NAMES = ["Red One", "Green Two", "Blue Three", "Redgreen Four"];

/**
 * Has writers change users at random, watchers of every protocol and several filters be cut off and go on at random, and
 * the log be trimmed under them. Compares what they have seen with the changes that were acknowledged, with one another,
 * and with the users that are left.
 */
export async function runFeed(options: FeedRunOptions): Promise<FeedReport> {
  const { seed, changes, writers, cutAfter, kept, open, replicas } = options;
  const progressIntervalMs = 50;
  const random = createRandom(seed);
  const real = await open();
  const shared = withParts(real, { close: async () => {} });
  await using plain = await startServer({
    repository: shared,
    webRoot: options.webRoot,
    changes: { progressIntervalMs },
  });
  await using secure = await startServer({
    repository: replicas === 1 ? shared : await open(),
    tls: testCertificate,
    webRoot: options.webRoot,
    changes: { progressIntervalMs },
  });
  const writing = createClient(UserService, await createCellTransport(plain, cellOf("gRPC", "h2c")));
  const writingElsewhere = createClient(UserService, await createCellTransport(secure, cellOf("gRPC", "TLS with h2")));
  const users: User[] = [];
  let made = 0;
  let acknowledged = 0;
  let isOver = false;
  let newest: User | undefined;
  const steady: Seen[] = [];
  const removed = new Set<string>();
  let cutsAtRemovals = 0;
  const watched: { name: string; seen: Seen; done: Promise<void> }[] = [];
  const isFaultMissing = () => watched.every(({ seen }) => seen.faults.length === 0);
  const unhit = () =>
    opened
      .map(({ name }) => name)
      .filter((name) => {
        const seen = watched.flatMap((one) => (one.name === name ? [one.seen] : []));
        return !seen.some(({ resumes }) => resumes > 0) || !seen.some(({ changeCount }) => changeCount > 0);
      });
  const sumOf = (number: (seen: Seen) => number) => watched.reduce((sum, { seen }) => sum + number(seen), 0);
  /** Whether watchers were cut off often enough, and saw what such a run is for. A few of them see less. */
  const areHit = () =>
    sumOf(({ resumesBehindProgress }) => resumesBehindProgress) > 0 &&
    sumOf(({ readsOfWrites }) => readsOfWrites) > 0 &&
    (options.only || (sumOf(({ resumes }) => resumes) > 50 && sumOf(({ resets }) => resets) > 0)) &&
    (replicas === 1 || sumOf(({ overtaken }) => overtaken) > 0);
  // A control may lack what they see.
  const isMissing = () => (options.isFaultWanted === true ? isFaultMissing() : kept < changes && !areHit());
  // On a busy machine the log is long when it is first cut off, and watchers are slow: the changes go on meanwhile.
  const isEnough = () =>
    made >= MAX_LENGTHENING * changes ||
    (made >= changes && (cutsAtRemovals > 0 || kept >= changes) && unhit().length === 0 && !isMissing());

  const isRemoved = (id: string) => removed.has(id);
  const pause = () => new Promise<void>((resolve) => setTimeout(resolve, random.below(3)));
  const write = async () => {
    while (!isEnough()) {
      made += 1;
      const index = random.below(users.length || 1);
      const user = users[index];
      const kind = random.below(10);
      if (!user || users.length < 50 || (kind < 3 && users.length < MAX_USERS)) {
        const name = random.pick(NAMES);
        const created = await writing.createUser({ email: `u${made}@${random.pick(["example", "other"])}.com`, name });
        if (!created.user) throw new Error("no user");
        users.push(created.user);
        newest = created.user;
        acknowledged += 1;
      } else if (kind < 9) {
        const updated = await ignoreMissing(writingElsewhere.updateUser({ id: user.id, name: random.pick(NAMES) }));
        if (updated) acknowledged += 1;
        newest = updated?.user ?? newest;
      } else {
        users.splice(index, 1);
        removed.add(user.id);
        if (await ignoreMissing(writing.deleteUser({ id: user.id }))) acknowledged += 1;
      }
      // Hits that are still missing need time more than changes.
      await (made < changes ? pause() : new Promise((resolve) => setTimeout(resolve, LENGTHENED_PAUSE_MS)));
    }
  };
  const trim = async () => {
    while (!isOver) {
      // A removal is the last change that goes, if there are that many to go.
      const { keptBehind } = await real.changes.head();
      const page = await real.changes.read({ after: keptBehind, limit: 256 });
      const removalEnds = page.changes.flatMap(({ after }, index) => (after === undefined ? [index + 1] : []));
      const limit = removalEnds.length > 0 ? random.pick(removalEnds) : 256;
      // Those who are never cut off have to see every change, however slow the machine is.
      const unseen = acknowledged + writers - Math.min(...steady.map(({ changeCount }) => changeCount));
      const count = await real.changes.trim({ notBeforeMs: 0, maxCount: Math.max(kept, unseen), limit });
      if (removalEnds.includes(count)) cutsAtRemovals += 1;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  /** Follows the changes until it has seen the last user; is cut off now and then. */
  const watch = async (open: OpenWatch, seen: Seen, manner: "steady" | "restless" | "sleepy") => {
    for (;;) {
      const controller = new AbortController();
      const most = seen.filter === QUIET ? Math.min(cutAfter, QUIET_CUT_AFTER) : cutAfter;
      let left = isOver || manner === "steady" ? Number.POSITIVE_INFINITY : 1 + random.below(most);
      // The users that exist are more than the events to a cut: most streams have to come past them.
      const isCutAmongExisting = random.below(4) === 0;
      seen.open(newest);
      const request = { resumeToken: seen.token, includeExisting: true, filter: seen.filter };
      try {
        for await (const event of open(request, controller.signal)) {
          seen.add(event, isRemoved);
          if (seen.hasLast) return;
          if (seen.token !== "" || isCutAmongExisting) left -= 1;
          if (left === 0) break;
        }
      } catch (error) {
        // A watcher that is slow on a busy machine is told to go on, as after any other cut.
        const { code } = ConnectError.from(error);
        if (code !== Code.Canceled && code !== Code.ResourceExhausted) throw error;
      } finally {
        controller.abort();
      }
      seen.cut();
      if (manner !== "sleepy") continue;
      // So many changes that some of them are gone then, whatever the pace.
      const until = made + random.below(3 * Math.min(kept, changes / 4));
      while (made < until && !isOver) await pause();
    }
  };

  const opened = await Promise.all(
    (options.only ?? MATRIX_WAYS).map(async ({ name, open }) => ({ name, open: await open({ plain, secure }) })),
  );
  const start = ({ name, open }: (typeof opened)[number], index: number, firstManner: "steady" | "restless") => {
    const seen = new Seen(name, FILTERS[(index + Math.floor(index / 4)) % FILTERS.length] ?? "");
    const manner = index % 4 === 3 ? "sleepy" : index % 4 === 0 ? firstManner : "restless";
    if (manner === "steady" && seen.filter === "") steady.push(seen);
    const one = { name, seen, done: watch(open, seen, manner) };
    watched.push(one);
    return one;
  };
  const early = opened.map((way, index) => start(way, index, "steady"));
  // Whoever was there first has to see every change.
  while (early.some(({ seen }) => seen.token === "")) await pause();
  const trimming = trim();
  const writes = Promise.all(Array.from({ length: writers }, write));
  for (const [index, way] of opened.entries()) start(way, index + 1, "restless");
  await writes;
  await writing.createUser(LAST_USER);
  acknowledged += 1;
  isOver = true;
  await trimming;
  await Promise.all(watched.map(({ done }) => done));

  const faults = watched.flatMap(({ seen }) => seen.faults);
  let complete = 0;
  const left = new Map<string, string>();
  for (const filter of FILTERS) left.set(filter, namesOf(await listAll(writing, filter)));
  for (const { seen } of watched) {
    if (namesOf(seen.users.values()) !== left.get(seen.filter)) {
      faults.push(`${seen.name}: the users that are left differ from the list`);
    }
    const isComplete = seen.filter === "" && seen.resets === 0 && early.some((one) => one.seen === seen);
    if (isComplete && seen.changeCount !== acknowledged) {
      faults.push(`${seen.name}: of ${acknowledged} changes, ${seen.changeCount} were seen`);
    }
    complete += isComplete ? 1 : 0;
  }
  await real.close();
  return {
    made: acknowledged,
    faults,
    complete,
    resumes: sumOf(({ resumes }) => resumes),
    resumesBehindProgress: sumOf(({ resumesBehindProgress }) => resumesBehindProgress),
    resets: sumOf(({ resets }) => resets),
    readsOfWrites: sumOf(({ readsOfWrites }) => readsOfWrites),
    overtaken: sumOf(({ overtaken }) => overtaken),
    events: sumOf(({ changeCount }) => changeCount),
    cutsAtRemovals,
    watchers: watched.length,
    unhit: unhit(),
  };
}

/** A way of each protocol over each connection. */
export const MATRIX_WAYS: readonly WatchWay[] = cells.map((cell) => ({
  name: `${cell.protocol} over ${cell.connection}`,
  async open({ plain, secure }) {
    const client = createClient(UserService, await createCellTransport(cell.tls ? secure : plain, cell));
    return (request, signal) => client.watchUsers(request, { signal });
  },
}));

async function listAll(client: Client<typeof UserService>, filter: string): Promise<User[]> {
  const found: User[] = [];
  for (let pageToken = ""; ; ) {
    const page = await client.listUsers({ filter, pageToken, pageSize: 1_000 });
    found.push(...page.users);
    pageToken = page.nextPageToken;
    if (pageToken === "") return found;
  }
}

function namesOf(users: Iterable<User>): string {
  return JSON.stringify(Array.from(users, ({ id, etag }) => [id, etag]).sort());
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
