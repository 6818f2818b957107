import { timestampMs } from "@bufbuild/protobuf/wkt";
import { ChangesGoneError, type UserEvent } from "@rollcall/client";
import type { ListUsersResponse, User } from "@rollcall/gen/user/v1/user";
import type { QueryClient } from "@tanstack/react-query";
import { client } from "../api/client.ts";
import { announce } from "../ui/announcer.tsx";
import { inSlot } from "./live-slots.ts";
import type { Live } from "./use-live.ts";
import { ALL_PAGES, CHANGES, keepInPages, type PageRequest, type UserChange } from "./use-users.ts";
import { HIDDEN_MS, hiddenSignal, untilVisible } from "./visibility.ts";

/** Interval at which a tab without a connection of its own reads changes, in milliseconds. */
const LOOK_MS = 2_000;
/** Time for which a row shows that somebody else has changed it, in milliseconds. */
const SHOWN_MS = 10_000;
/** Time for which changes are gathered before the list is reloaded, in milliseconds. */
const GATHER_MS = 250;

export interface FollowOptions {
  cache: QueryClient;
  filter: string;
  signal: AbortSignal;
  /** Updates the part that the page shows. */
  change(changed: (before: Live) => Partial<Live>): void;
}

/**
 * Watches the users that match a filter while the tab is visible, until the signal is aborted. When the tab becomes
 * visible again, it resumes where it was. While too many tabs have streams, it reads new changes every 2 s instead.
 *
 * @throws The call's error if another attempt can't help.
 */
export async function followWhileVisible(options: FollowOptions): Promise<void> {
  const { cache, signal, change } = options;
  for (let resumeToken = ""; ; ) {
    await untilVisible(signal);
    if (signal.aborted) return;
    change(() => ({ state: "catching up" }));
    await untilListed(cache, signal);
    const visible = hiddenSignal(HIDDEN_MS, signal);
    for (let isAgain = false; !visible.aborted; isAgain = true) {
      const stretch = { ...options, signal: visible, isAgain };
      resumeToken = await inSlot((mayStay) => follow({ ...stretch, mayStay }, resumeToken));
      if (!visible.aborted) await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }
}

/** Resolves when the list has been loaded, or can't be: a stream could take the last connection that is left for it. */
function untilListed(cache: QueryClient, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const look = () => {
      if (!signal.aborted && cache.isFetching({ queryKey: ALL_PAGES }) > 0) return;
      unsubscribe();
      signal.removeEventListener("abort", look);
      resolve();
    };
    const unsubscribe = cache.getQueryCache().subscribe(look);
    signal.addEventListener("abort", look);
    look();
  });
}

interface StretchOptions extends FollowOptions {
  /** Whether it continues until the signal is aborted, rather than only until all present changes have arrived. */
  mayStay: boolean;
  /** Whether it continues an earlier stretch without a gap. */
  isAgain: boolean;
}

/** Follows changes after a place; "" begins anew. Returns the place that it reached. */
async function follow(
  { cache, filter, signal, change, mayStay, isAgain }: StretchOptions,
  begin: string,
): Promise<string> {
  let resumeToken = begin;
  let hasGap = !isAgain;
  let isReloading = false;
  const reload = () => {
    if (isReloading) return;
    isReloading = true;
    setTimeout(() => {
      isReloading = false;
      if (!signal.aborted) void cache.invalidateQueries({ queryKey: ALL_PAGES });
    }, GATHER_MS);
  };
  const mark = (id: string, isChanged: boolean) =>
    change(({ changedIds }) => {
      const others = [...changedIds].filter((one) => one !== id);
      return { changedIds: new Set(isChanged ? [...others, id] : others) };
    });
  const note = (id: string, now: User | "removed") =>
    change(({ latest }) => ({ latest: new Map(latest).set(id, now) }));
  const take = (event: UserEvent) => {
    if (event.type === "updated") {
      const { user } = event;
      const isOwn = isChangedHere(cache, user);
      const isShown = isInPages(cache, user.id);
      keepInPages(cache, (users) => users.map((one) => laterOf(one, user)));
      // A list that is being loaded may have been read before this change, and would undo it.
      if (isShown && cache.isFetching({ queryKey: ALL_PAGES }) > 0) reload();
      if (isShown || isOwn) mark(user.id, !isOwn);
      if (isShown && !isOwn) {
        announce(`${user.name} was changed by somebody else`);
        setTimeout(() => mark(user.id, false), SHOWN_MS);
      }
      note(user.id, user);
      if (!isOwn && changesOrder(cache)) reload();
    } else if (event.type !== "progress" && (event.type !== "synced" || hasGap)) {
      if (event.type === "removed") note(event.userId, "removed");
      // The list may have been read before the stream began.
      reload();
    }
  };
  const onState = (state: Live["state"]) => change(() => ({ state }));
  // A stretch begins where the earlier one was live.
  const onRetry = () => onState("catching up");
  for (;;) {
    try {
      for await (const event of client.users.watch({ filter, resumeToken }, { signal, onState, onRetry })) {
        take(event);
        resumeToken = event.resumeToken || resumeToken;
        if (event.type === "synced" && !mayStay) return resumeToken;
      }
    } catch (error) {
      if (signal.aborted) return resumeToken;
      // The missed changes are no longer kept, so the list is reloaded.
      if (resumeToken === "" || !(error instanceof ChangesGoneError)) throw error;
      resumeToken = "";
      hasGap = true;
    }
  }
}

/** Returns whether this tab made the change that led to this version, even if its answer has not arrived yet. */
function isChangedHere(cache: QueryClient, { id, etag }: User): boolean {
  const changes = cache.getMutationCache().findAll({ mutationKey: CHANGES });
  return changes.some(({ state }) => {
    const { user } = state.variables as UserChange;
    const answer = state.data as User | undefined;
    return user.id === id && (state.status === "pending" || answer?.etag === etag);
  });
}

/** Returns whether the page's order is one in which a change can move its user. */
function changesOrder(cache: QueryClient): boolean {
  const shown = cache.getQueryCache().findAll({ queryKey: ALL_PAGES, type: "active" });
  return shown.some(({ queryKey }) => !(queryKey[1] as PageRequest).orderBy.startsWith("create_time"));
}

function isInPages(cache: QueryClient, id: string): boolean {
  const pages = cache.getQueriesData<ListUsersResponse>({ queryKey: ALL_PAGES, type: "active" });
  return pages.some(([, page]) => page?.users.some((user) => user.id === id));
}

/** Returns the new state if it belongs to this user and the list has no later one; otherwise the user as it is. */
function laterOf(user: User, changed: User): User {
  if (user.id !== changed.id) return user;
  const [before = 0, after = 0] = [user.updatedAt, changed.updatedAt].map((time) => (time ? timestampMs(time) : 0));
  return after >= before ? changed : user;
}
