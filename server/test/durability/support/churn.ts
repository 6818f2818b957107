import type { User } from "@rollcall/gen/user/v1/user";
import { createRandom, type Random } from "@rollcall/testing/random";
import { startServer, until } from "@rollcall/testing/start-server";
import type { UserRepository } from "../../../src/repository/user-repository.ts";
import { CALL, connectUsers, type UsersClient } from "./connect-users.ts";
import type { DatabaseKind } from "./databases.ts";

const CHANGES_BETWEEN_PAGES = 3;

/** Order in which pages can be read. */
export interface PageOrder {
  readonly order: string;
  /** Whether a change of a user can move the user in this order. */
  readonly isMovedByChange: boolean;
  readonly readPage: ReadPage;
}

/** Reads a page. There is one for each order of the service. */
export type ReadPage = (
  client: UsersClient,
  page: { pageSize: number; pageToken: string },
) => Promise<{ users: User[]; nextPageToken: string }>;

export interface ChurnOutcome {
  /**
   * Users that were there all the time but were not read exactly once. If a change can move users, only unchanged ones
   * count.
   */
  readonly wrong: string[];
  readonly survivors: number;
  readonly pages: number;
  /**
   * Number of users that were created, deleted or changed between the first page and the last. Without any, nothing was
   * tested.
   */
  readonly changes: number;
}

/** Reads all pages under churn, on its own server and database. */
export async function readOnNewServer(
  kind: DatabaseKind,
  { readPage, isMovedByChange }: PageOrder,
  seed: number,
  wrap = (real: UserRepository) => real,
): Promise<ChurnOutcome> {
  await using database = await kind.share();
  await using server = await startServer({ repository: wrap(await database.openRepository()) });
  const [client] = connectUsers({ url: server.url, token: await server.token() });
  if (!client) throw new Error("no client");
  return await readUnderChurn(client, seed, readPage, isMovedByChange);
}

/**
 * Reads all pages, one after the other. Between the pages and during the reads, users are created, deleted and changed.
 * The number of users, page sizes and changes are random.
 *
 * @param isMovedByChange Whether a change of a user can move the user in the order that is read.
 */
async function readUnderChurn(
  client: UsersClient,
  seed: number,
  readPage: ReadPage,
  isMovedByChange: boolean,
): Promise<ChurnOutcome> {
  const random = createRandom(seed);
  const alive = new Map<string, User>();
  const count = 20 + random.below(100);
  await Promise.all(Array.from({ length: count }, (_, number) => createUser(client, alive, `a${number}`, random)));
  const survivors = new Set(alive.keys());
  const read = new Map<string, number>();
  let isOver = false;
  let changes = 0;
  const churn = async (name: string) => {
    for (let number = 0; !isOver; number++) {
      await churnOnce(client, alive, survivors, `${name}${number}`, isMovedByChange, random);
      changes += 1;
    }
  };
  const first = await readPage(client, { pageSize: 1 + random.below(10), pageToken: "" });
  const churning = Promise.all(["x", "y", "z"].map(churn));
  let pages = 1;
  try {
    for (let page = first; ; pages++) {
      for (const { id } of page.users) read.set(id, (read.get(id) ?? 0) + 1);
      if (page.nextPageToken === "") break;
      // Some changes come between two pages, however busy the machine is.
      await Promise.race([churning, until(() => changes >= CHANGES_BETWEEN_PAGES * pages)]);
      page = await readPage(client, { pageSize: 1 + random.below(10), pageToken: page.nextPageToken });
    }
  } finally {
    isOver = true;
    await churning;
  }
  const wrong = [...survivors]
    .filter((id) => read.get(id) !== 1)
    .map((id) => `${id} was read ${read.get(id) ?? 0} times`);
  // A change can move a user behind the current page, to be read again. Otherwise nobody is read twice.
  if (!isMovedByChange) for (const [id, times] of read) if (times > 1) wrong.push(`${id} was read ${times} times`);
  return { wrong, survivors: survivors.size, pages, changes };
}

async function churnOnce(
  client: UsersClient,
  alive: Map<string, User>,
  survivors: Set<string>,
  name: string,
  isMovedByChange: boolean,
  random: Random,
): Promise<void> {
  const user = random.pick([...alive.values()]);
  const action = alive.size < 10 ? 0 : random.below(3);
  if (action === 0) return createUser(client, alive, name, random);
  if (action === 1) {
    alive.delete(user.id);
    survivors.delete(user.id);
    await client.deleteUser({ id: user.id }, CALL);
    return;
  }
  if (isMovedByChange) survivors.delete(user.id);
  const email = random.isOnce(2) ? `${random.below(1_000)}.${name}@example.com` : "";
  // Another of the churning clients may delete it at the same time.
  await client.updateUser({ id: user.id, name: `${random.below(1_000)} ${name}`, email }, CALL).catch(() => {});
}

async function createUser(client: UsersClient, alive: Map<string, User>, name: string, random: Random): Promise<void> {
  const request = { email: `${random.below(1_000)}.${name}@example.com`, name: `${random.below(1_000)} ${name}` };
  const { user } = await client.createUser(request, CALL);
  if (user) alive.set(user.id, user);
}
