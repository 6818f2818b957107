import type { ContextValues } from "@connectrpc/connect";
import type { NewUser } from "@rollcall/client";
import type { ListUsersResponse, User } from "@rollcall/gen/user/v1/user";
import {
  keepPreviousData,
  type Mutation,
  type QueryClient,
  useMutation,
  useMutationState,
  useQuery,
  useQueryClient,
} from "@tanstack/react-query";
import { client } from "../api/client.ts";
import type { Order } from "./order.ts";
import { removeAll } from "./remove-all.ts";

/** Key of every page of every search. */
export const ALL_PAGES = ["pages of users"];
/** Key of everything that pages of one user show; the next part is the id. */
export const ONE_USER = ["one user"];
export const CHANGES = ["changes of users"];
const REMOVALS = ["removals of users"];

export interface PageRequest {
  readonly pageSize: number;
  /** Empty for the first page. */
  readonly pageToken: string;
  readonly filter: string;
  readonly orderBy: Order;
}

export interface UserDraft {
  readonly name: string;
  readonly email: string;
}

/** User to create, and the signal that cancels the call. */
interface NewUserCall {
  readonly user: NewUser;
  readonly signal: AbortSignal;
}

export interface UserChange {
  /** User as it was when the form was opened. */
  readonly user: User;
  readonly draft: UserDraft;
  /** Etag of the version that is changed. */
  readonly etag: string;
}

/** Users to remove. */
export interface Removal {
  readonly users: readonly User[];
  /** Resolves when it may begin; rejects if all users have to stay. Until then they are hidden. */
  readonly begins?: Promise<void>;
}

/** Change that failed. */
export interface FailedChange {
  readonly id: number;
  readonly change: UserChange;
  readonly error: unknown;
  forget(): void;
}

/**
 * Queries a page of users. The previous page stays while the next one loads.
 *
 * @param contextValues Makes the context values of each call.
 */
export function useUsersPage(request: PageRequest, contextValues: () => ContextValues | undefined) {
  return useQuery({
    queryKey: [...ALL_PAGES, request],
    queryFn: ({ signal }) => {
      const values = contextValues();
      const options = { signal, ...(values && { contextValues: values }) };
      return client.users.list({ ...request, includeTotalSize: true }, options);
    },
    placeholderData: keepPreviousData,
  });
}

/** Queries the present state of a user on the server; nothing is cached. */
export function useCurrentUser(id: string) {
  return useQuery({
    queryKey: ["user", id],
    queryFn: ({ signal }) => client.users.get(id, { signal }),
    gcTime: 0,
  });
}

/** Changes the cached pages. */
export function keepInPages(cache: QueryClient, change: (users: User[]) => User[]): void {
  cache.setQueriesData<ListUsersResponse>(
    { queryKey: ALL_PAGES },
    (page) => page && { ...page, users: change(page.users) },
  );
}

/** Returns the fields that differ from those when the form was opened. */
function changedFields({ user, draft }: UserChange): Partial<UserDraft> {
  const fields = (["name", "email"] as const).filter((field) => draft[field] !== user[field]);
  return Object.fromEntries(fields.map((field) => [field, draft[field]]));
}

/** Makes the request of a change, with only the changed fields. */
export function changeRequest(change: UserChange) {
  const fields = changedFields(change);
  return { id: change.user.id, ...fields, etag: change.etag, updateMask: { paths: Object.keys(fields) } };
}

/**
 * Returns the functions that change the directory. {@link useExpected} shows the pending changes, {@link
 * useFailedChange} one that failed.
 */
export function useDirectory() {
  const cache = useQueryClient();
  // A change counts as pending until the shown data has been reloaded.
  const onSettled = () => Promise.all([ALL_PAGES, ONE_USER].map((queryKey) => cache.invalidateQueries({ queryKey })));
  const keep = (change: (users: User[]) => User[]) => keepInPages(cache, change);

  const create = useMutation({
    mutationFn: ({ user, signal }: NewUserCall) => client.users.create(user, { signal }),
    // Not awaited: the form does not need the list.
    onSettled: () => void onSettled(),
  });
  const change = useMutation({
    mutationKey: CHANGES,
    onMutate: () => {
      const mutations = cache.getMutationCache();
      for (const done of mutations.findAll({ mutationKey: CHANGES, status: "success" })) mutations.remove(done);
    },
    mutationFn: (change: UserChange) =>
      client.users.update(change.user.id, changedFields(change), { etag: change.etag }),
    onSuccess: (changed) => keep((users) => users.map((user) => (user.id === changed.id ? changed : user))),
    onSettled,
    // Kept until the person has seen that their input was not saved.
    gcTime: Number.POSITIVE_INFINITY,
  });
  const remove = useMutation({
    mutationKey: REMOVALS,
    mutationFn: async ({ users, begins }: Removal) => {
      await begins;
      return removeAll(users);
    },
    onSuccess: (kept, { users }) => {
      const isGone = (id: string) => isAmong(users, id) && !kept.some(({ user }) => user.id === id);
      keep((shown) => shown.filter(({ id }) => !isGone(id)));
    },
    onSettled,
  });
  return { create: create.mutateAsync, change: change.mutateAsync, remove: remove.mutateAsync };
}

/**
 * Returns users as they will be after the pending changes. A change that fails is no longer pending, so it disappears
 * again.
 */
export function useExpected(users: readonly User[]): { user: User; isChanging: boolean }[] {
  const changes = useMutationState<UserChange>({
    filters: { mutationKey: CHANGES, status: "pending" },
    select: ({ state }) => state.variables as UserChange,
  });
  const removals = useMutationState<Removal>({
    filters: { mutationKey: REMOVALS, status: "pending" },
    select: ({ state }) => state.variables as Removal,
  });
  return users
    .filter(({ id }) => !removals.some((removal) => isAmong(removal.users, id)))
    .map((user) => {
      const change = changes.find((pending) => pending.user.id === user.id);
      return { user: change ? { ...user, ...changedFields(change) } : user, isChanging: change !== undefined };
    });
}

function isAmong(users: readonly User[], id: string): boolean {
  return users.some((user) => user.id === id);
}

/** Returns the first failed change about which the person has not decided yet. */
export function useFailedChange(): FailedChange | undefined {
  const cache = useQueryClient();
  const [failed] = useMutationState<Mutation<unknown, Error, UserChange>>({
    filters: { mutationKey: CHANGES, status: "error" },
    select: (mutation) => mutation as Mutation<unknown, Error, UserChange>,
  });
  if (!failed?.state.variables) return undefined;
  return {
    id: failed.mutationId,
    change: failed.state.variables,
    error: failed.state.error,
    forget: () => cache.getMutationCache().remove(failed),
  };
}
