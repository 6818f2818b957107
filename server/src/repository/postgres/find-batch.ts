import type { User } from "../../domain/user.ts";
import { queryTrace } from "../../runtime/query-trace.ts";

/** Most users that one statement looks for. */
const MAX_BATCH = 1_000;

interface Search {
  readonly id: string;
  /** Trace of its call, if that is recorded. */
  readonly trace: string | undefined;
  resolve(user: User | undefined): void;
  reject(reason: unknown): void;
}

/** Reads users by their ids. @param trace Trace that the statement names. */
type Read = (ids: readonly string[], trace: string | undefined) => Promise<ReadonlyMap<string, User>>;

/**
 * Looks for all users that are requested in one turn of the event loop with one statement. It does not wait for more.
 * The statement names the trace of the first recorded call.
 */
export class FindBatch {
  readonly #read: Read;
  #searches: Search[] = [];

  constructor(read: Read) {
    this.#read = read;
  }

  find(id: string): Promise<User | undefined> {
    return new Promise((resolve, reject) => {
      this.#searches.push({ id, trace: queryTrace(), resolve, reject });
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
      const trace = searches.find(({ trace }) => trace !== undefined)?.trace;
      const users = await this.#read(
        searches.map(({ id }) => id),
        trace,
      );
      for (const { id, resolve } of searches) resolve(users.get(id));
    } catch (error) {
      for (const { reject } of searches) reject(error);
    }
  }
}
