import { create } from "@bufbuild/protobuf";
import { type User, UserSchema } from "@rollcall/gen/user/v1/user";
import { NEVER } from "@rollcall/testing/linearizability/history";
import { UNKNOWN } from "@rollcall/testing/linearizability/model";
import type { Random } from "@rollcall/testing/random";
import { CALL, type UsersClient } from "./connect-users.ts";
import { outcomeOf } from "./outcome.ts";

const MOST_USERS = 6;

export interface Creation {
  readonly email: string;
  readonly name: string;
  /** Request id; empty for a create without one. */
  readonly requestId: string;
}

export type Write =
  | ({ readonly kind: "create" } & Creation)
  | { readonly kind: "update"; readonly before: User; readonly name: string }
  | { readonly kind: "delete"; readonly before: User };

/**
 * One of many concurrent clients, and the answers that it got. Nobody else writes its users, so the server's expected
 * state is known exactly, except for the one write whose answer was lost.
 */
export class Writer {
  /** The writer's users, by id, as the server has acknowledged them. */
  readonly users = new Map<string, User>();
  readonly deletedIds = new Set<string>();
  /** Latest acknowledged create with a request id, and the id in its answer. */
  replayable: { readonly creation: Creation; readonly id: string } | undefined;
  /** Write that is under way or whose answer was lost. */
  pending: Write | undefined;
  /** Refusals of the writer's writes. Nobody else writes its users, so each refusal means that something was lost. */
  readonly refusals: string[] = [];
  readonly #name: string;
  #writes = 0;

  /** @param name Name that distinguishes the writer's users from those of other writers, in names and e-mails. */
  constructor(name: string) {
    this.#name = name;
  }

  /** Makes a random write. Returns whether it was acknowledged; if not, it is {@link pending} or was never sent. */
  async write(client: UsersClient, random: Random): Promise<boolean> {
    this.pending = this.#choose(random);
    try {
      await this.make(client, this.pending);
      this.pending = undefined;
      return true;
    } catch (error) {
      const outcome = outcomeOf(error);
      if (outcome === UNKNOWN) return false;
      if (outcome !== NEVER) this.refusals.push(`${this.pending?.kind} was refused: ${outcome}`);
      this.pending = undefined;
      return false;
    }
  }

  /** Makes a write once, and records the acknowledged result. */
  async make(client: UsersClient, write: Write): Promise<void> {
    switch (write.kind) {
      case "create": {
        const { email, name, requestId } = write;
        const { user } = await client.createUser({ email, name, requestId }, CALL);
        if (!user) throw new Error("no user in the answer");
        this.users.set(user.id, user);
        if (requestId !== "") this.replayable = { creation: write, id: user.id };
        return;
      }
      case "update": {
        const { id, etag } = write.before;
        const { user } = await client.updateUser({ id, etag, name: write.name }, CALL);
        this.users.set(id, user ?? create(UserSchema));
        return;
      }
      case "delete": {
        const { id, etag } = write.before;
        await client.deleteUser({ id, etag }, CALL);
        this.forget(id);
      }
    }
  }

  forget(id: string): void {
    this.users.delete(id);
    this.deletedIds.add(id);
  }

  #choose(random: Random): Write {
    const number = ++this.#writes;
    const before = this.users.size > 0 ? random.pick([...this.users.values()]) : undefined;
    if (!before || random.below(MOST_USERS) >= this.users.size) {
      const name = `${this.#name}-${number}`;
      return { kind: "create", email: `${name}@example.com`, name, requestId: random.isOnce(2) ? name : "" };
    }
    if (random.isOnce(3)) return { kind: "delete", before };
    return { kind: "update", before, name: `${this.#name}-${number}` };
  }
}
