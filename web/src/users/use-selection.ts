import type { User } from "@rollcall/gen/user/v1/user";
import { useState } from "react";

/** Users of a page that a person has selected. */
export interface Selection {
  readonly users: readonly User[];
  has(id: string): boolean;
  /** Selects or deselects a user; with `isRange`, all users from the previous one to this one. */
  toggle(id: string, isRange: boolean): void;
  /** Selects all users of the page, or none if all are. */
  toggleAll(): void;
  clear(): void;
}

/** @param view Key of the page. Another page begins with no selection. */
export function useSelection(shown: readonly User[], view: string): Selection {
  const none = { view, ids: new Set<string>(), last: "" };
  const [stored, setStored] = useState(none);
  const { ids, last } = stored.view === view ? stored : none;
  const users = shown.filter(({ id }) => ids.has(id));
  return {
    users,
    has: (id) => ids.has(id),
    toggle(id, isRange) {
      const order = shown.map((user) => user.id);
      const ends = [order.indexOf(last), order.indexOf(id)].sort((a, b) => a - b);
      const [from = -1, to = -1] = ends;
      const next = new Set(ids);
      for (const one of isRange && from >= 0 ? order.slice(from, to + 1) : [id]) {
        if (ids.has(id)) next.delete(one);
        else next.add(one);
      }
      setStored({ view, ids: next, last: id });
    },
    toggleAll: () => setStored({ ...none, ids: new Set(users.length < shown.length ? shown.map(({ id }) => id) : []) }),
    clear: () => setStored(none),
  };
}
