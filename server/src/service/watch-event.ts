import type { ChangePlace } from "../domain/logged-change.ts";
import type { User } from "../domain/user.ts";

/** An event of a watched directory. All watchers of a filter share one object for a change. */
export interface WatchEvent {
  readonly kind: "created" | "updated" | "removed" | "synced" | "progress" | "reset";
  /** The user that was created or updated. */
  readonly user: User | undefined;
  /** Id of the user that the event is about; empty for others. */
  readonly userId: string;
  /** Place after the event; empty if a stream can't resume there. */
  readonly resumeToken: string;
  /** Id of the change; empty for events that are not changes. */
  readonly changeId: string;
  /** Place of the change or, for other events, the place up to which the log was read. */
  readonly place: ChangePlace;
}

/** Events that all watchers of a filter get together. They share the array, and with it the encoded bytes. */
export type EventBatch = readonly WatchEvent[];

/** Returns an event that is not a change. */
export function signOf(kind: "synced" | "progress" | "reset", place: ChangePlace, resumeToken: string): WatchEvent {
  return { kind, user: undefined, userId: "", resumeToken, changeId: "", place };
}

/** Returns the event of an existing user. */
export function existingUser(user: User): WatchEvent {
  return { kind: "created", user, userId: user.id, resumeToken: "", changeId: "", place: "" };
}

/** Returns the id of a change. It is unique among all databases. */
export function changeIdOf(epoch: string, place: ChangePlace): string {
  return `${epoch}.${place}`;
}
