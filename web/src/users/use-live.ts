import type { WatchState } from "@rollcall/client";
import type { User } from "@rollcall/gen/user/v1/user";
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";

/** State of the directory as it is followed. */
export interface Live {
  /** "off" while the list is not followed at all. */
  readonly state: WatchState | "off";
  /** Ids of users that others have changed just now. */
  readonly changedIds: ReadonlySet<string>;
  /** Users that were changed or removed since the page was opened, by id: their state now. */
  readonly latest: ReadonlyMap<string, User | "removed">;
}

const START: Live = { state: "off", changedIds: new Set(), latest: new Map() };

/**
 * Follows the changes of the users that a filter finds, whoever makes them, while the tab is visible, and goes on where it
 * was when the tab is visible again. Changes a row in its place; loads the list again when somebody comes or goes.
 */
export function useLive(filter: string): Live {
  const cache = useQueryClient();
  const [live, setLive] = useState(START);
  useEffect(() => {
    const controller = new AbortController();
    const { signal } = controller;
    const change = (changed: (before: Live) => Partial<Live>) =>
      signal.aborted || setLive((before) => ({ ...before, ...changed(before) }));
    // Loaded after the page: the list does without, and says itself if the server is away.
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
