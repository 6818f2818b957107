import type { User } from "../../domain/user.ts";

/** Users that one statement looks for. */
const MAX_BATCH = 1_000;

interface Search {
  readonly id: string;
  resolve(user: User | undefined): void;
  reject(reason: unknown): void;
}

/** Looks for the users that are asked for in one turn of the event loop with one statement, without a wait for more. */
export class FindBatch {
  readonly #read: (ids: readonly string[]) => Promise<ReadonlyMap<string, User>>;
  #searches: Search[] = [];

  constructor(read: (ids: readonly string[]) => Promise<ReadonlyMap<string, User>>) {
    this.#read = read;
  }

  find(id: string): Promise<User | undefined> {
    return new Promise((resolve, reject) => {
      this.#searches.push({ id, resolve, reject });
      if (this.#searches.length === 1) setImmediate(() => this.#send());
    });
  }

  #send(): void {
    const searches = this.#searches;
    this.#searches = [];
    for (let start = 0; start < searches.length; start += MAX_BATCH) {
      void this.#answer(searches.slice(start, start + MAX_BATCH));
    }
  }

  async #answer(searches: readonly Search[]): Promise<void> {
    try {
      const users = await this.#read(searches.map(({ id }) => id));
      for (const { id, resolve } of searches) resolve(users.get(id));
    } catch (error) {
      for (const { reject } of searches) reject(error);
    }
  }
}
