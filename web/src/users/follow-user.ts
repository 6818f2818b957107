import type { WatchState } from "@rollcall/client";
import { client } from "../api/client.ts";
import { HIDDEN_MS, hiddenSignal, untilVisible } from "./visibility.ts";

export interface FollowUserOptions {
  id: string;
  /** E-mail of the user. As a filter, it makes the server send the changes of few others. */
  email: string;
  signal: AbortSignal;
  onState(state: WatchState): void;
  /** Called when the user may have changed. */
  onChange(): void;
}

/**
 * Follows the changes of a user while the tab is visible, until the signal is aborted.
 *
 * @throws The call's error if another attempt can't help.
 */
export async function followUser({ id, email, signal, onState, onChange }: FollowUserOptions): Promise<void> {
  for (;;) {
    await untilVisible(signal);
    if (signal.aborted) return;
    onState("catching up");
    const ends = hiddenSignal(HIDDEN_MS, signal);
    try {
      for await (const event of client.users.watch({ filter: email }, { signal: ends, onState })) {
        const changed = "user" in event ? event.user.id : event.type === "removed" ? event.userId : undefined;
        // The user may have changed before the stream began.
        if (changed === id || event.type === "synced") onChange();
      }
    } catch (error) {
      if (!ends.aborted) throw error;
    }
  }
}
