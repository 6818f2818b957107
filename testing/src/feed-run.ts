import type { MessageInitShape } from "@bufbuild/protobuf";
import { type Client, Code, ConnectError, createClient } from "@connectrpc/connect";
import {
  type User,
  UserService,
  type WatchUsersRequestSchema,
  type WatchUsersResponse,
} from "@rollcall/gen/user/v1/user";
import type { UserRepository } from "@rollcall/server";
import { type FeedHits, missingHits } from "./feed-hits.ts";
import { LAST_USER, Seen } from "./feed-seen.ts";
import { type Cell, cells, createCellTransport, testCertificate } from "./matrix.ts";
import { createRandom } from "./random.ts";
import { startServer, type TestServer } from "./start-server.ts";
import { withParts } from "./with-parts.ts";

export interface FeedRunOptions {
  seed: number;
  /** Number of changes, made by `writers` concurrently. */
  changes: number;
  writers: number;
  /** Most events after which a watcher is cut off. */
  cutAfter: number;
  /** Most changes that are kept; fewer than a watcher can miss while it sleeps. */
  kept: number;
  /** Opens the database. If possible, it is called twice, for two replicas. */
  open(): Promise<UserRepository>;
  replicas: 1 | 2;
  /** Ways in which servers are watched. Default: the matrix's. */
  only?: readonly WatchWay[];
  /** Folder of pages that the servers serve. */
  webRoot?: string;
  /** Hits without which the run means nothing: it is extended, within bounds, until it has them. */
  leastHits?: Partial<FeedHits>;
  /** For a control: the run is then extended, within the same bounds, until somebody has seen a fault. */
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

export interface FeedReport extends FeedHits {
  made: number;
  /** Changes that a watcher did not see, saw twice, or saw after a later one; in words. */
  faults: string[];
  /** The run lacks these, in words: hits, and ways by which no watcher was cut off, or saw a change. */
  missing: string[];
  /** Changes that were seen, by all watchers together. */
  events: number;
  watchers: number;
  /** Watchers that must have seen every change, since they were never told to begin anew. */
  complete: number;
}

/** Filter that finds only the last user: its watchers depend on `progress`. */
const QUIET = "last";
const FILTERS = ["", "red", "gr example", QUIET];
/** Most events after which such a watcher is cut off. It is low, since they come at intervals. */
const QUIET_CUT_AFTER = 5;
/** Factor by which a run may be extended while some events have not occurred yet. */
const MAX_LENGTHENING = 10;
/** Pause of a writer between two changes of such an extended run, in milliseconds. */
const LENGTHENED_PAUSE_MS = 100;
/** Most pauses of a run in which its writers only wait for slow watchers, which may never see what a fault has lost. */
const MAX_LOOKS = 2_000;
/** Most users at the same time: a watcher that begins anew gets all of them. */
const MAX_USERS = 1_000;
const NAMES = ["Red One", "Green Two", "Blue Three", "Redgreen Four"];

/**
 * Tests the feed. Writers change users at random, while watchers of every protocol and several filters are cut off and
 * resume at random, and the log is trimmed. The run then compares what the watchers have seen with the acknowledged
 * changes, with each other, and with the remaining users.
 */
export async function runFeed(options: FeedRunOptions): Promise<FeedReport> {
  const { seed, changes, writers, cutAfter, kept, open, replicas, leastHits = {} } = options;
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
  const sumOf = (number: (seen: Seen) => number) => watched.reduce((sum, { seen }) => sum + number(seen), 0);
  const hits = (): FeedHits => ({
    resumes: sumOf(({ resumes }) => resumes),
    resumesBehindProgress: sumOf(({ resumesBehindProgress }) => resumesBehindProgress),
    resets: sumOf(({ resets }) => resets),
    readsOfWrites: sumOf(({ readsOfWrites }) => readsOfWrites),
    cutsAtRemovals,
    overtaken: sumOf(({ overtaken }) => overtaken),
  });
  const unhitWays = () =>
    opened
      .map(({ name }) => name)
      .filter((name) => {
        const seen = watched.flatMap((one) => (one.name === name ? [one.seen] : []));
        return !seen.some(({ resumes }) => resumes > 0) || !seen.some(({ changeCount }) => changeCount > 0);
      });
  const missing = () => [...missingHits(hits(), leastHits), ...unhitWays()];
  const isFaultMissing = () => options.isFaultWanted === true && watched.every(({ seen }) => seen.faults.length === 0);
  // On a busy machine the log is already long when it is first trimmed, and watchers are slow. So the changes continue
  // meanwhile.
  const isEnough = () =>
    made >= MAX_LENGTHENING * changes || (made >= changes && missing().length === 0 && !isFaultMissing());

  /** Number of changes that a watcher has not seen that is never cut off, at most. */
  const unseenBySteady = () => acknowledged - Math.min(...steady.map(({ changeCount }) => changeCount));

  // The watchers of a control need not see every change.
  let looksLeft = options.isFaultWanted === true ? 0 : MAX_LOOKS;

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
      if (made < changes) {
        await pause();
        continue;
      }
      // The missing events need time rather than more changes, and the log is trimmed only behind slow watchers.
      do await new Promise((resolve) => setTimeout(resolve, LENGTHENED_PAUSE_MS));
      while (!isEnough() && unseenBySteady() > kept / 2 && looksLeft-- > 0);
    }
  };
  const trim = async () => {
    while (!isOver) {
      // A removal is the last change that is trimmed, if that many can be.
      const { keptBehind } = await real.changes.head();
      const page = await real.changes.read({ after: keptBehind, limit: 256 });
      const removalEnds = page.changes.flatMap(({ after }, index) => (after === undefined ? [index + 1] : []));
      const limit = removalEnds.length > 0 ? random.pick(removalEnds) : 256;
      // Watchers that are never cut off must see every change, however slow the machine is.
      const maxCount = Math.max(kept, unseenBySteady() + writers);
      const count = await real.changes.trim({ notBeforeMs: 0, maxCount, limit });
      if (removalEnds.includes(count)) cutsAtRemovals += 1;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  /** Follows the changes until it has seen the last user, and is cut off now and then. */
  const watch = async (open: OpenWatch, seen: Seen, manner: "steady" | "restless" | "sleepy") => {
    for (;;) {
      const controller = new AbortController();
      const most = seen.filter === QUIET ? Math.min(cutAfter, QUIET_CUT_AFTER) : cutAfter;
      let left = isOver || manner === "steady" ? Number.POSITIVE_INFINITY : 1 + random.below(most);
      // There are more existing users than events before a cut, so most streams must get past the users.
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
        // On a busy machine a slow watcher is told to resume, as after any other cut.
        const { code } = ConnectError.from(error);
        if (code !== Code.Canceled && code !== Code.ResourceExhausted) throw error;
      } finally {
        controller.abort();
      }
      seen.cut();
      if (manner !== "sleepy") continue;
      // Sleep for so many changes that some of them will be trimmed, whatever the pace.
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
  // The watchers that were there first must see every change.
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
    ...hits(),
    made: acknowledged,
    faults,
    missing: missing(),
    complete,
    events: sumOf(({ changeCount }) => changeCount),
    watchers: watched.length,
  };
}

/** Each protocol over each connection. */
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
