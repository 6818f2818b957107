import type { WatchState } from "@rollcall/client";
import type { User } from "@rollcall/gen/user/v1/user";
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";

/** State of the directory while it is watched. */
export interface Live {
  /** "off" while the list is not watched at all. */
  readonly state: WatchState | "off";
  /** Ids of users that others have just changed. */
  readonly changedIds: ReadonlySet<string>;
  /** Users that were changed or removed since the page was opened, by id: their present state. */
  readonly latest: ReadonlyMap<string, User | "removed">;
}

const START: Live = { state: "off", changedIds: new Set(), latest: new Map() };

/**
 * Watches the users that match a filter while the tab is visible, no matter who changes them. When the tab becomes
 * visible again, it resumes where it was. A changed row is updated in its place; when a user is added or removed, the
 * list is reloaded.
 */
export function useLive(filter: string): Live {
  const cache = useQueryClient();
  const [live, setLive] = useState(START);
  useEffect(() => {
    const controller = new AbortController();
    const { signal } = controller;
    const change = (changed: (before: Live) => Partial<Live>) =>
      signal.aborted || setLive((before) => ({ ...before, ...changed(before) }));
    // Loaded after the page: the list works without it, and reports by itself if the server is unavailable.
    import("./follow.ts")
      .then(({ followWhileVisible }) => followWhileVisible({ cache, filter, signal, change }))
      .catch(() => change(() => ({ state: "off" })));
    return () => {
      controller.abort();
      setLive(START);
    };
  }, [cache, filter]);
  return live;
}
