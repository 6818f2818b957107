import { setTimeout as delay } from "node:timers/promises";
import { type Client, Code, ConnectError } from "@connectrpc/connect";
import type { UserService } from "@rollcall/gen/user/v1/user";
import { LAST_USER, Seen } from "@rollcall/testing/feed-seen";

type Users = Client<typeof UserService>;

/** Watchers that resume, or begin anew when told to, whatever happens to servers and databases. */
export class Followers {
  readonly #users: Users;
  readonly #followers: { readonly seen: Seen; readonly done: Promise<void> }[];

  /** @param clients Clients to watch with, one for each follower. */
  constructor(clients: readonly Users[]) {
    this.#users = clients[0] as Users;
    this.#followers = clients.map((users, index) => {
      const seen = new Seen(`follower ${index}`, "");
      return { seen, done: follow(users, seen) };
    });
  }

  /** Number of times that the follower with the fewest resets was told to begin anew. */
  get resets(): number {
    return Math.min(...this.#followers.map(({ seen }) => seen.resets));
  }

  /** Ends the followers. Returns the faults in the events that they saw. */
  async end(): Promise<string[]> {
    await this.#users.createUser(LAST_USER);
    await Promise.all(this.#followers.map(({ done }) => done));
    const list = new Map<string, string>();
    for (let pageToken = ""; ; ) {
      const page = await this.#users.listUsers({ pageSize: 1_000, pageToken });
      for (const { id, etag } of page.users) list.set(id, etag);
      pageToken = page.nextPageToken;
      if (pageToken === "") break;
    }
    return this.#followers.flatMap(({ seen }) => {
      const differing = [...new Set([...list.keys(), ...seen.users.keys()])].filter(
        (id) => list.get(id) !== seen.users.get(id)?.etag,
      );
      return [...seen.faults, ...differing.map((id) => `${seen.name} has another state of ${id} than the list`)];
    });
  }
}

async function follow(users: Users, seen: Seen): Promise<void> {
  while (!seen.hasLast) {
    seen.open(undefined);
    try {
      const request = { resumeToken: seen.token, includeExisting: true };
      for await (const event of users.watchUsers(request, { timeoutMs: 0 })) {
        seen.add(event, () => false);
        if (seen.hasLast) return;
      }
    } catch (error) {
      // A lost database has one of these codes, and so does a reader that is slow on a busy machine.
      const { code } = ConnectError.from(error);
      if (code !== Code.Unavailable && code !== Code.ResourceExhausted) throw error;
    }
    seen.cut();
    await delay(20);
  }
}
