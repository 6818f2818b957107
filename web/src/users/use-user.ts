import type { ListUsersResponse } from "@rollcall/gen/user/v1/user";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { client } from "../api/client.ts";
import type { Live } from "./use-live.ts";
import { ALL_PAGES, ONE_USER } from "./use-users.ts";

/** Queries one user. A page of the directory may have shown it already. */
export function useUser(id: string) {
  const cache = useQueryClient();
  return useQuery({
    queryKey: [...ONE_USER, id],
    queryFn: ({ signal }) => client.users.get(id, { signal }),
    placeholderData: () =>
      cache
        .getQueriesData<ListUsersResponse>({ queryKey: ALL_PAGES })
        .flatMap(([, page]) => page?.users ?? [])
        .find((user) => user.id === id),
  });
}

/** Follows the changes of one user, and reloads user and history after each. Returns the state of the watch. */
export function useUserLive(id: string, email: string | undefined): Live["state"] {
  const cache = useQueryClient();
  const [state, setState] = useState<Live["state"]>("off");
  useEffect(() => {
    if (email === undefined) return;
    const controller = new AbortController();
    const { signal } = controller;
    const onState = (next: Live["state"]) => signal.aborted || setState(next);
    const onChange = () => void cache.invalidateQueries({ queryKey: [...ONE_USER, id] });
    import("./follow-user.ts")
      .then(({ followUser }) => followUser({ id, email, signal, onState, onChange }))
      .catch(() => onState("off"));
    return () => {
      controller.abort();
      setState("off");
    };
  }, [cache, id, email]);
  return state;
}
