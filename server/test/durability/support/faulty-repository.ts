import { withParts } from "@rollcall/testing/with-parts";
import type { UserRepository } from "../../../src/repository/user-repository.ts";

/**
 * Repositories that each lack one guard, for controls: they show that a test fails without it.
 *
 * - `early`: a create is acknowledged before it is written.
 * - `forgetful`: request ids are not kept.
 * - `careless`: etags are not checked.
 * - `stale`: a user is read from a cache that no write reaches, as from a standby that lags.
 * - `looking`: a query looks for a taken e-mail, instead of the unique index.
 */
export const faults = {
  early: (real) => ({
    insert: async (user, key) => {
      setTimeout(() => real.insert(user, key).catch(() => {}), 20);
      return user;
    },
  }),
  forgetful: (real) => ({ insert: (user) => real.insert(user) }),
  careless: (real) => ({
    update: (id, change) => real.update(id, change),
    delete: (id) => real.delete(id),
  }),
  stale: (real) => {
    const cache = new Map<string, ReturnType<UserRepository["find"]>>();
    return {
      find: (id) => {
        const cached = cache.get(id) ?? real.find(id);
        cache.set(id, cached);
        return cached;
      },
    };
  },
  looking: (real) => {
    const emails = new Set<string>();
    let number = 0;
    return {
      insert: async (user, key) => {
        const isTaken = emails.has(user.email);
        // The pause stands for a query: other calls get their turn before the answer.
        await new Promise((resolve) => setImmediate(resolve));
        if (isTaken) return real.insert(user, key);
        emails.add(user.email);
        const inserted = await real.insert({ ...user, email: `${++number}.${user.email}` }, key);
        return { ...inserted, email: user.email };
      },
    };
  },
} satisfies Record<string, (real: UserRepository) => Partial<UserRepository>>;

export type Fault = keyof typeof faults;

/** Returns the repository without one of its guards. */
export function withFault(real: UserRepository, fault: Fault): UserRepository {
  return withParts<UserRepository>(real, faults[fault](real));
}

/** Returns the repository with the reads of another one, for example of a standby. */
export function withReader(real: UserRepository, reader: UserRepository): UserRepository {
  return withParts<UserRepository>(real, { find: (id) => reader.find(id) });
}
