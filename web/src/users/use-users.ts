import { Code, ConnectError } from "@connectrpc/connect";
import { createConnectQueryKey, useMutation, useQuery } from "@connectrpc/connect-query";
import { type ListUsersResponse, type User, UserService } from "@rollcall/gen/user/v1/user";
import { keepPreviousData, type QueryKey, useQueryClient } from "@tanstack/react-query";

const { listUsers, createUser, updateUser, deleteUser } = UserService.method;

/** Every page of every search. */
const ALL_PAGES = createConnectQueryKey({ schema: listUsers, cardinality: "finite" });

export interface PageRequest {
  readonly pageSize: number;
  /** Empty for the first page. */
  readonly pageToken: string;
  readonly filter: string;
}

/** A page of users; while the next one loads, the one before stays. */
export function useUsersPage(request: PageRequest) {
  return useQuery(listUsers, { ...request }, { placeholderData: keepPreviousData });
}

type Pages = [QueryKey, ListUsersResponse | undefined][];

/** The changes to the directory. What is known of their outcome is shown at once, and taken back if it does not come true. */
export function useUserChanges() {
  const client = useQueryClient();

  /** Changes the users that are shown; returns how it was before. */
  const show = async (change: (users: User[]) => User[]): Promise<Pages> => {
    await client.cancelQueries({ queryKey: ALL_PAGES });
    const before = client.getQueriesData<ListUsersResponse>({ queryKey: ALL_PAGES });
    client.setQueriesData<ListUsersResponse>(
      { queryKey: ALL_PAGES },
      (page) => page && { ...page, users: change(page.users) },
    );
    return before;
  };
  const takeBack = (before: Pages | undefined) => {
    for (const [key, page] of before ?? []) client.setQueryData(key, page);
  };
  const refresh = () => client.invalidateQueries({ queryKey: ALL_PAGES });

  const create = useMutation(createUser, { onSuccess: refresh });
  const update = useMutation<typeof updateUser.input, typeof updateUser.output, Pages>(updateUser, {
    onMutate: ({ id, name, email }) =>
      show((users) =>
        users.map((user) => (user.id === id ? { ...user, name: name || user.name, email: email || user.email } : user)),
      ),
    onError: (_error, _request, before) => takeBack(before),
    onSettled: refresh,
  });
  const remove = useMutation<typeof deleteUser.input, typeof deleteUser.output, Pages>(deleteUser, {
    onMutate: ({ id }) => show((users) => users.filter((user) => user.id !== id)),
    onError: (error, _request, before) => {
      // Gone is gone, whoever did it.
      if (ConnectError.from(error).code !== Code.NotFound) takeBack(before);
    },
    onSettled: refresh,
  });
  return { create, update, remove };
}
