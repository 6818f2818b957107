import { useInfiniteQuery } from "@tanstack/react-query";
import { client } from "../api/client.ts";
import { ONE_USER } from "./use-users.ts";

/** Queries a user's changes, the latest first, page by page; nothing is cached. */
export function useHistory(id: string) {
  return useInfiniteQuery({
    queryKey: [...ONE_USER, id, "history"],
    queryFn: ({ pageParam, signal }) => client.users.history(id, { pageToken: pageParam }, { signal }),
    initialPageParam: "",
    getNextPageParam: ({ nextPageToken }) => nextPageToken || undefined,
    gcTime: 0,
  });
}
