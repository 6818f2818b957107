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
  useMutation,
  useMutationState,
  useQuery,
  useQueryClient,
} from "@tanstack/react-query";
import { call } from "../api/call.ts";

const { getUser, listUsers, createUser, updateUser, deleteUser } = UserService.method;

/** Every page of every search. */
const ALL_PAGES = ["pages of users"];
const CHANGES = ["changes of users"];
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

/** A user to create, and what ends the wait for it. */
interface NewUserCall {
  readonly request: MessageInitShape<typeof CreateUserRequestSchema>;
  readonly signal: AbortSignal;
}

export interface UserChange {
  /** As it was when the form was opened. */
  readonly user: User;
  readonly draft: UserDraft;
  /** Of the version that the change is made on. */
  readonly etag: string;
}

/** A change that failed. */
export interface FailedChange {
  readonly id: number;
  readonly change: UserChange;
  readonly error: unknown;
  forget(): void;
}

/** A page of users; while the next one loads, the one before stays. */
export function useUsersPage(request: PageRequest) {
  return useQuery({
    queryKey: [...ALL_PAGES, request],
    queryFn: ({ signal }) => call(listUsers, { ...request }, signal),
    placeholderData: keepPreviousData,
  });
}

/** A user as the server has it now, not as it is remembered. */
export function useCurrentUser(id: string) {
  return useQuery({
    queryKey: ["user", id],
    queryFn: ({ signal }) => call(getUser, { id }, signal),
    gcTime: 0,
  });
}

/** The fields that are not as they were when the form was opened. */
function changedFields({ user, draft }: UserChange): Partial<UserDraft> {
  const fields = (["name", "email"] as const).filter((field) => draft[field] !== user[field]);
  return Object.fromEntries(fields.map((field) => [field, draft[field]]));
}

/** What a change sends: the fields that were changed, and nothing else. */
export function changeRequest(change: UserChange) {
  const fields = changedFields(change);
  return { id: change.user.id, ...fields, etag: change.etag, updateMask: { paths: Object.keys(fields) } };
}

/** The ways to change the directory. What is under way is in {@link useExpected}, what went wrong in {@link useFailedChange}. */
export function useDirectory() {
  const client = useQueryClient();
  // A call is under way until the list is as it left it.
  const onSettled = () => client.invalidateQueries({ queryKey: ALL_PAGES });
  const keep = (change: (users: User[]) => User[]) =>
    client.setQueriesData<ListUsersResponse>(
      { queryKey: ALL_PAGES },
      (page) => page && { ...page, users: change(page.users) },
    );

  const create = useMutation({
    mutationFn: ({ request, signal }: NewUserCall) => call(createUser, request, signal),
    // The form need not wait for the list.
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
    // What was typed is kept until the person has seen that it was not saved.
    gcTime: Number.POSITIVE_INFINITY,
  });
  const remove = useMutation({
    mutationKey: REMOVALS,
    mutationFn: async ({ id, etag }: User) => {
      try {
        await call(deleteUser, { id, etag });
      } catch (error) {
        // Gone is gone, whoever did it.
        if (ConnectError.from(error).code !== Code.NotFound) throw error;
      }
    },
    onSuccess: (_nothing, { id: removed }) => keep((users) => users.filter(({ id }) => id !== removed)),
    onSettled,
  });
  return { create: create.mutateAsync, change: change.mutateAsync, remove: remove.mutateAsync };
}

/**
 * Users as they will be when the changes under way have been made; a change that
 * fails is no longer under way, which takes it back.
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

/** The first change that failed and has not been forgotten: the person decides what becomes of it. */
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
