import type { ChangePlace } from "../domain/logged-change.ts";
import type { User } from "../domain/user.ts";

/** An event of a watched directory. All watchers of a filter share one object for a change. */
export interface WatchEvent {
  readonly kind: "created" | "updated" | "removed" | "synced" | "progress" | "reset";
  /** The user that was created or updated. */
  readonly user: User | undefined;
  /** Id of the user that the event is about; empty for others. */
  readonly userId: string;
  /** Place behind the event; empty where a stream can't go on. */
  readonly resumeToken: string;
  /** Id of the change; empty for events that are none. */
  readonly changeId: string;
  /** Place of the change, or up to which the log was read. */
  readonly place: ChangePlace;
}

/** Events that all watchers of a filter get at once. They share the array, and so what is encoded of it. */
export type EventBatch = readonly WatchEvent[];

/** Returns an event that is no change. */
export function signOf(kind: "synced" | "progress" | "reset", place: ChangePlace, resumeToken: string): WatchEvent {
  return { kind, user: undefined, userId: "", resumeToken, changeId: "", place };
}

/** Returns the event of a user that exists already. */
export function existingUser(user: User): WatchEvent {
  return { kind: "created", user, userId: user.id, resumeToken: "", changeId: "", place: "" };
}

/** Returns the id of a change, which no other change of any database has. */
export function changeIdOf(epoch: string, place: ChangePlace): string {
  return `${epoch}.${place}`;
}
