import type { User } from "../../../src/domain/user.ts";
import type { ListOptions, UserRepository } from "../../../src/repository/user-repository.ts";

/** Returns a repository that pages by counting rows (OFFSET) instead of by the last row's position, for a control. */
export function pageByOffset(real: UserRepository): UserRepository {
  const offsets = new Map<string, number>();
  const list = async (options: ListOptions): Promise<User[]> => {
    const all = await real.list({ ...options, after: undefined, limit: 100_000 });
    const start = options.after ? (offsets.get(options.after.id) ?? 0) : 0;
    const page = all.slice(start, start + options.limit);
    for (const [index, { id }] of page.entries()) offsets.set(id, start + index + 1);
    return page;
  };
  return new Proxy(real, {
    get(target, name) {
      if (name === "list") return list;
      if (name === "listEncoded") return undefined;
      const value = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
