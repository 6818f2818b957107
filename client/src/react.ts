/** Hooks for React on TanStack Query. They share its cache, so an app's own queries and mutations work beside them. */
import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { createContext, useCallback, useContext, useEffect, useState } from "react";
import type { Rollcall } from "./rollcall.ts";
import type { WatchQuery, WatchState } from "./streams/watch.ts";
import type { NewUser, UserChanges, UserQuery, Users } from "./users.ts";

/** Time for which changes are gathered before they are read, in milliseconds. */
const GATHER_MS = 250;

/** Keys of the hooks' queries; `all` is the beginning of the others. */
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

/** Queries one user. Like the hooks below, it leaves retries to the client. */
export function useUser(id: string) {
  const { users } = useRollcall();
  return useQuery({
    queryKey: rollcallKeys.user(id),
    queryFn: ({ signal }) => users.get(id, { signal }),
    retry: false,
  });
}

/** Queries the users that a filter finds, page after page. */
export const useUsers = (query: Pick<UserQuery, "filter" | "orderBy" | "pageSize" | "includeTotalSize"> = {}) =>
  usePages([...rollcallKeys.lists, query], (users, pageToken, signal) =>
    users.list({ ...query, pageToken }, { signal }),
  );

/** Queries the changes of a user, the latest first, page after page. */
export const useUserHistory = (id: string) =>
  usePages(rollcallKeys.history(id), (users, pageToken, signal) => users.history(id, { pageToken }, { signal }));

function usePages<Page extends { nextPageToken: string }>(
  queryKey: readonly unknown[],
  read: (users: Users, pageToken: string, signal: AbortSignal) => Promise<Page>,
) {
  const { users } = useRollcall();
  return useInfiniteQuery({
    queryKey,
    queryFn: ({ pageParam, signal }) => read(users, pageParam, signal),
    initialPageParam: "",
    getNextPageParam: ({ nextPageToken }) => nextPageToken || undefined,
    retry: false,
  });
}

/** A user to write; with an etag, only if the user still has it. */
type Target = { id: string; etag?: string | undefined };

/** Returns the mutation that creates a user. */
export const useCreateUser = () => useWrite((users, user: NewUser) => users.create(user));

/** Returns the mutation that changes a user. */
export const useUpdateUser = () =>
  useWrite((users, { id, changes, etag }: Target & { changes: UserChanges }) => users.update(id, changes, { etag }));

/** Returns the mutation that removes a user. */
export const useDeleteUser = () => useWrite((users, { id, etag }: Target) => users.delete(id, { etag }));

function useWrite<Input, Result>(write: (users: Users, input: Input) => Promise<Result>) {
  const { users } = useRollcall();
  return useMutation({ mutationFn: (input: Input) => write(users, input), onSettled: useRefresh() });
}

export interface UsersWatch {
  readonly state: WatchState;
  readonly error: unknown;
}

const START: UsersWatch = { state: "catching up", error: undefined };

/**
 * Watches the users that match a filter. When there are changes, it refreshes the results of the hooks above. Returns
 * the state of the watch, and its error if it can't continue.
 */
export function useWatchUsers({ filter = "" }: Pick<WatchQuery, "filter"> = {}): UsersWatch {
  const { users } = useRollcall();
  const refresh = useRefresh();
  const [watch, setWatch] = useState(START);
  useEffect(() => {
    const controller = new AbortController();
    const { signal } = controller;
    const set = (next: UsersWatch) => signal.aborted || setWatch(next);
    const onState = (state: WatchState) => set({ state, error: undefined });
    let timer: ReturnType<typeof setTimeout> | undefined;
    const read = () => {
      timer = undefined;
      void refresh();
    };
    const follow = async () => {
      for await (const { type } of users.watch({ filter }, { signal, onState })) {
        if (type !== "progress") timer ??= setTimeout(read, GATHER_MS);
      }
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

/** Returns the function that refreshes the queries that the page shows, and drops all others. */
function useRefresh(): () => Promise<void> {
  const cache = useQueryClient();
  return useCallback(() => cache.invalidateQueries({ queryKey: rollcallKeys.all }), [cache]);
}
