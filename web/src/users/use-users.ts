import type { MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import {
  type CreateUserRequestSchema,
  type ListUsersResponse,
  type User,
  UserService,
} from "@rollcall/gen/user/v1/user";
import {
  keepPreviousData,
  type Mutation,
  type QueryClient,
  useMutation,
  useMutationState,
  useQuery,
  useQueryClient,
} from "@tanstack/react-query";
import { call } from "../api/call.ts";

const { getUser, listUsers, createUser, updateUser, deleteUser } = UserService.method;

/** Key of every page of every search. */
export const ALL_PAGES = ["pages of users"];
export const CHANGES = ["changes of users"];
const REMOVALS = ["removals of users"];

interface PageRequest {
  readonly pageSize: number;
  /** Empty for the first page. */
  readonly pageToken: string;
  readonly filter: string;
}

export interface UserDraft {
  readonly name: string;
  readonly email: string;
}

/** User to create, and the signal that cancels the call. */
interface NewUserCall {
  readonly request: MessageInitShape<typeof CreateUserRequestSchema>;
  readonly signal: AbortSignal;
}

export interface UserChange {
  /** User as it was when the form was opened. */
  readonly user: User;
  readonly draft: UserDraft;
  /** Etag of the version that is changed. */
  readonly etag: string;
}

/** Change that failed. */
export interface FailedChange {
  readonly id: number;
  readonly change: UserChange;
  readonly error: unknown;
  forget(): void;
}

/** Queries a page of users. The previous page stays while the next one loads. */
export function useUsersPage(request: PageRequest) {
  return useQuery({
    queryKey: [...ALL_PAGES, request],
    queryFn: ({ signal }) => call(listUsers, { ...request }, signal),
    placeholderData: keepPreviousData,
  });
}

/** Queries a user as the server has it now; nothing is cached. */
export function useCurrentUser(id: string) {
  return useQuery({
    queryKey: ["user", id],
    queryFn: ({ signal }) => call(getUser, { id }, signal),
    gcTime: 0,
  });
}

/** Changes the cached pages. */
export function keepInPages(client: QueryClient, change: (users: User[]) => User[]): void {
  client.setQueriesData<ListUsersResponse>(
    { queryKey: ALL_PAGES },
    (page) => page && { ...page, users: change(page.users) },
  );
}

/** Picks the fields that differ from those when the form was opened. */
function changedFields({ user, draft }: UserChange): Partial<UserDraft> {
  const fields = (["name", "email"] as const).filter((field) => draft[field] !== user[field]);
  return Object.fromEntries(fields.map((field) => [field, draft[field]]));
}

/** Makes the request of a change, with the fields that were changed and no others. */
export function changeRequest(change: UserChange) {
  const fields = changedFields(change);
  return { id: change.user.id, ...fields, etag: change.etag, updateMask: { paths: Object.keys(fields) } };
}

/**
 * Returns the functions that change the directory. {@link useExpected} shows the changes
 * under way, {@link useFailedChange} one that failed.
 */
export function useDirectory() {
  const client = useQueryClient();
  // A change counts as under way until the list has been loaded again.
  const onSettled = () => client.invalidateQueries({ queryKey: ALL_PAGES });
  const keep = (change: (users: User[]) => User[]) => keepInPages(client, change);

  const create = useMutation({
    mutationFn: ({ request, signal }: NewUserCall) => call(createUser, request, signal),
    // Not awaited: the form does not need the list.
    onSettled: () => void onSettled(),
  });
  const change = useMutation({
    mutationKey: CHANGES,
    onMutate: () => {
      const cache = client.getMutationCache();
      for (const done of cache.findAll({ mutationKey: CHANGES, status: "success" })) cache.remove(done);
    },
    mutationFn: (change: UserChange) => call(updateUser, changeRequest(change)),
    onSuccess: ({ user: changed }) => keep((users) => users.map((user) => (user.id === changed?.id ? changed : user))),
    onSettled,
    // Kept until the person has seen that what they typed was not saved.
    gcTime: Number.POSITIVE_INFINITY,
  });
  const remove = useMutation({
    mutationKey: REMOVALS,
    mutationFn: async ({ id, etag }: User) => {
      try {
        await call(deleteUser, { id, etag });
      } catch (error) {
        // The user is gone, whoever deleted it.
        if (ConnectError.from(error).code !== Code.NotFound) throw error;
      }
    },
    onSuccess: (_nothing, { id: removed }) => keep((users) => users.filter(({ id }) => id !== removed)),
    onSettled,
  });
  return { create: create.mutateAsync, change: change.mutateAsync, remove: remove.mutateAsync };
}

/**
 * Returns users as they will be after the changes under way. A change that fails is
 * no longer under way, so it is taken back.
 */
export function useExpected(users: readonly User[]): { user: User; isChanging: boolean }[] {
  const changes = useMutationState<UserChange>({
    filters: { mutationKey: CHANGES, status: "pending" },
    select: ({ state }) => state.variables as UserChange,
  });
  const removals = useMutationState<User>({
    filters: { mutationKey: REMOVALS, status: "pending" },
    select: ({ state }) => state.variables as User,
  });
  return users
    .filter(({ id }) => !removals.some((removed) => removed.id === id))
    .map((user) => {
      const change = changes.find((pending) => pending.user.id === user.id);
      return { user: change ? { ...user, ...changedFields(change) } : user, isChanging: change !== undefined };
    });
}

/** Returns the first failed change about which the person has not decided yet. */
export function useFailedChange(): FailedChange | undefined {
  const client = useQueryClient();
  const [failed] = useMutationState<Mutation<unknown, Error, UserChange>>({
    filters: { mutationKey: CHANGES, status: "error" },
    select: (mutation) => mutation as Mutation<unknown, Error, UserChange>,
  });
  if (!failed?.state.variables) return undefined;
  return {
    id: failed.mutationId,
    change: failed.state.variables,
    error: failed.state.error,
    forget: () => client.getMutationCache().remove(failed),
  };
}
