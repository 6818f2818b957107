import type { User } from "@rollcall/gen/user/v1/user";
import { History, NEVER } from "@rollcall/testing/linearizability/history";
import { UNKNOWN } from "@rollcall/testing/linearizability/model";
import type { Random } from "@rollcall/testing/random";
import { CALL, type UsersClient } from "./connect-users.ts";
import { outcomeOf } from "./outcome.ts";
import type { ModelUser, UserInput, UserOutput } from "./user-model.ts";

/** Number of an island's users that clients remember, with etags that may be outdated. */
const REMEMBERED = 8;
/** Number of e-mails of an island. Users change only between these, so each island's calls can be judged separately. */
const EMAILS = 3;

export type UserHistory = History<UserInput & { readonly island: number }, UserOutput>;

/** Shared knowledge of the clients of one history: old and new users from the answers. */
export class Islands {
  readonly history: UserHistory = new History();
  readonly #seen: ModelUser[][];
  readonly #creations: (UserInput & { kind: "create" })[][];
  #number = 0;

  constructor(islands: number) {
    this.#seen = Array.from({ length: islands }, () => []);
    this.#creations = Array.from({ length: islands }, () => []);
  }

  /** Makes one random call and records it. Returns whether it was answered. */
  async call(number: number, client: UsersClient, random: Random): Promise<boolean> {
    const island = random.below(this.#seen.length);
    const seen = this.#seen[island] ?? [];
    const input = this.#choose(island, seen, random);
    const output = await this.history.record(number, { ...input, island }, () => answerOf(client, input));
    if (typeof output === "object" && "id" in output) {
      seen.push(output);
      if (seen.length > REMEMBERED) seen.shift();
    }
    return output !== UNKNOWN && output !== NEVER;
  }

  /** Records the final directory after all calls have ended, island by island. */
  async recordEnd(client: UsersClient): Promise<void> {
    const users: ModelUser[] = [];
    for (let pageToken = ""; ; ) {
      const page = await client.listUsers({ pageSize: 1_000, pageToken }, CALL);
      users.push(...page.users.map(toModelUser));
      pageToken = page.nextPageToken;
      if (pageToken === "") break;
    }
    for (const island of this.#seen.keys()) {
      const here = users.filter(({ email }) => email.startsWith(`i${island}.`));
      await this.history.record(-1, { kind: "list", island }, async () => here);
    }
  }

  #choose(island: number, seen: readonly ModelUser[], random: Random): UserInput {
    const user = seen.length > 0 ? random.pick(seen) : undefined;
    const email = `i${island}.${random.below(EMAILS)}@example.com`;
    const name = `n${++this.#number}`;
    const dice = random.below(20);
    if (!user || dice < 4) {
      const creations = this.#creations[island] ?? [];
      // This repeats a create, as after a lost answer, sometimes while the first is still under way.
      if (creations.length > 0 && random.isOnce(3)) return random.pick(creations.slice(-4));
      const creation = { kind: "create", email, name, requestId: random.isOnce(2) ? name : "" } as const;
      if (creation.requestId !== "") creations.push(creation);
      return creation;
    }
    const { id } = user;
    const etag = random.isOnce(6) ? undefined : user.etag;
    if (dice < 11) return { kind: "get", id };
    if (dice < 13) return { kind: "delete", id, etag };
    return { kind: "update", id, name, etag, ...(random.isOnce(3) && { email }) };
  }
}

async function answerOf(client: UsersClient, input: UserInput): Promise<UserOutput | typeof UNKNOWN | typeof NEVER> {
  try {
    switch (input.kind) {
      case "create": {
        const { email, name, requestId } = input;
        return userIn(await client.createUser({ email, name, requestId }, CALL));
      }
      case "update": {
        const { id, email = "", name, etag = "" } = input;
        return userIn(await client.updateUser({ id, email, name, etag }, CALL));
      }
      case "delete": {
        await client.deleteUser({ id: input.id, etag: input.etag ?? "" }, CALL);
        return "done";
      }
      case "get":
        return userIn(await client.getUser({ id: input.id }, CALL));
      case "list":
        throw new Error("only the end of a history lists users");
    }
  } catch (error) {
    const outcome = outcomeOf(error);
    // A read without an answer has had no effect.
    return outcome === UNKNOWN && input.kind === "get" ? NEVER : outcome;
  }
}

function userIn({ user }: { user?: User | undefined }): ModelUser {
  if (!user) throw new Error("no user in the answer");
  return toModelUser(user);
}

function toModelUser({ id, email, name, etag }: User): ModelUser {
  return { id, email, name, etag };
}
