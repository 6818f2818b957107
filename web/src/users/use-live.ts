import type { WatchState } from "@rollcall/client";
import type { User } from "@rollcall/gen/user/v1/user";
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { hiddenSignal, untilVisible } from "./visibility.ts";

/**
 * How long a hidden tab goes on, in milliseconds. A browser opens six connections to a server over HTTP/1.1, all tabs
 * together, and each stream has one: a seventh tab would not even load.
 */
const HIDDEN_MS = 5_000;

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
  const client = useQueryClient();
  const [live, setLive] = useState(START);
  useEffect(() => {
    const controller = new AbortController();
    const { signal } = controller;
    const change = (changed: (before: Live) => Partial<Live>) =>
      signal.aborted || setLive((before) => ({ ...before, ...changed(before) }));
    const followVisible = async () => {
      // Loaded after the page: the list does without, and says itself if the server is away.
      const { follow } = await import("./follow.ts");
      for (let resumeToken = ""; ; ) {
        await untilVisible(signal);
        if (signal.aborted) return;
        change(() => ({ state: "catching up" }));
        const ended = hiddenSignal(HIDDEN_MS, signal);
        resumeToken = await follow({ client, filter, resumeToken, signal: ended, change });
      }
    };
    followVisible().catch(() => change(() => ({ state: "off" })));
    return () => {
      controller.abort();
      setLive(START);
    };
  }, [client, filter]);
  return live;
}
