/** Hooks for React on TanStack Query. They share its cache, so an app's own queries and mutations work beside them. */
import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { createContext, useCallback, useContext, useEffect, useState } from "react";
import type { Rollcall } from "./rollcall.ts";
import type { WatchState } from "./streams/watch.ts";
import type { NewUser, UserChanges, UserQuery } from "./users.ts";

/** Time in which changes are gathered before they are read, in milliseconds. */
const GATHER_MS = 250;

export interface UsersWatch {
  readonly state: WatchState;
  readonly error: unknown;
}

const START: UsersWatch = { state: "catching up", error: undefined };

/** Keys of what the hooks keep; `all` is the beginning of the others. */
export const rollcallKeys = {
  all: ["rollcall"] as const,
  lists: ["rollcall", "users"] as const,
  user: (id: string) => ["rollcall", "user", id] as const,
  history: (id: string) => ["rollcall", "history", id] as const,
};

const Context = createContext<Rollcall | undefined>(undefined);

/** Gives the client to the hooks below: `<RollcallProvider value={client}>`, within a QueryClientProvider. */
export const RollcallProvider = Context.Provider;

/** Returns the client. @throws Error outside of a RollcallProvider. */
export function useRollcall(): Rollcall {
  const client = useContext(Context);
  if (!client) throw new Error("there is no RollcallProvider around this component");
  return client;
}

/** Queries one user. */
export function useUser(id: string) {
  const { users } = useRollcall();
  // The client repeats calls itself, here as below.
  return useQuery({
    queryKey: rollcallKeys.user(id),
    queryFn: ({ signal }) => users.get(id, { signal }),
    retry: false,
  });
}

/** Queries the users that a filter finds, page after page. */
export function useUsers(query: Pick<UserQuery, "filter" | "orderBy" | "pageSize" | "includeTotalSize"> = {}) {
  const { users } = useRollcall();
  return useInfiniteQuery({
    queryKey: [...rollcallKeys.lists, query],
    queryFn: ({ pageParam, signal }) => users.list({ ...query, pageToken: pageParam }, { signal }),
    initialPageParam: "",
    getNextPageParam: ({ nextPageToken }) => nextPageToken || undefined,
    retry: false,
  });
}

/** Queries the changes of a user, the latest first, page after page. */
export function useUserHistory(id: string) {
  const { users } = useRollcall();
  return useInfiniteQuery({
    queryKey: rollcallKeys.history(id),
    queryFn: ({ pageParam, signal }) => users.history(id, { pageToken: pageParam }, { signal }),
    initialPageParam: "",
    getNextPageParam: ({ nextPageToken }) => nextPageToken || undefined,
    retry: false,
  });
}

/** Returns the mutation that creates a user. */
export function useCreateUser() {
  const { users } = useRollcall();
  const refresh = useRefresh();
  return useMutation({ mutationFn: (user: NewUser) => users.create(user), onSettled: refresh });
}

/** Returns the mutation that changes a user; with an etag, only if the user still has it. */
export function useUpdateUser() {
  const { users } = useRollcall();
  const refresh = useRefresh();
  return useMutation({
    mutationFn: ({ id, changes, etag }: { id: string; changes: UserChanges; etag?: string | undefined }) =>
      users.update(id, changes, { etag }),
    onSettled: refresh,
  });
}

/** Returns the mutation that removes a user; with an etag, only if the user still has it. */
export function useDeleteUser() {
  const { users } = useRollcall();
  const refresh = useRefresh();
  return useMutation({
    mutationFn: ({ id, etag }: { id: string; etag?: string | undefined }) => users.delete(id, { etag }),
    onSettled: refresh,
  });
}

/**
 * Follows the changes of the users that a filter finds, and reads what the hooks above show again when there are some.
 *
 * @returns "live" when everything has come that the server knows of, else "catching up"; the error of a watch that can't
 * go on.
 */
export function useWatchUsers({ filter = "" }: { filter?: string } = {}): UsersWatch {
  const { users } = useRollcall();
  const refresh = useRefresh();
  const [watch, setWatch] = useState(START);
  useEffect(() => {
    const controller = new AbortController();
    const { signal } = controller;
    const set = (next: UsersWatch) => signal.aborted || setWatch(next);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const gather = () => {
      timer ??= setTimeout(() => {
        timer = undefined;
        void refresh();
      }, GATHER_MS);
    };
    const follow = async () => {
      const onState = (state: WatchState) => set({ state, error: undefined });
      for await (const { type } of users.watch({ filter }, { signal, onState })) if (type !== "progress") gather();
    };
    follow().catch((error: unknown) => set({ ...START, error }));
    return () => {
      controller.abort();
      clearTimeout(timer);
      setWatch(START);
    };
  }, [users, filter, refresh]);
  return watch;
}

/** Returns the function that reads again what is on the page, and forgets the rest. */
function useRefresh(): () => Promise<void> {
  const cache = useQueryClient();
  return useCallback(() => cache.invalidateQueries({ queryKey: rollcallKeys.all }), [cache]);
}
