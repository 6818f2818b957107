import { UserService } from "@rollcall/gen/user/v1/user";
import { useInfiniteQuery } from "@tanstack/react-query";
import { call } from "../api/call.ts";

/** Queries a user's changes, the latest first, page by page; nothing is cached. */
export function useHistory(id: string) {
  return useInfiniteQuery({
    queryKey: ["history", id],
    queryFn: ({ pageParam, signal }) => call(UserService.method.getUserHistory, { id, pageToken: pageParam }, signal),
    initialPageParam: "",
    getNextPageParam: ({ nextPageToken }) => nextPageToken || undefined,
    gcTime: 0,
  });
}
