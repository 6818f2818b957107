import { Code, ConnectError } from "@connectrpc/connect";
import { createLinkedAbortController } from "@connectrpc/connect/protocol";
import type { User, UserService, WatchUsersResponse } from "@rollcall/gen/user/v1/user";
import { MAX_TIMER_MS } from "@rollcall/shared/max-timer-ms";
import type { CallOptions } from "../call-options.ts";
import { callHook } from "../internal/call-hook.ts";
import { delay } from "../internal/delay.ts";
import type { ServiceClient } from "../internal/service-client.ts";
import { delayAfter, forbidsRetry, isTransient, type RetryOptions } from "../retry/policy.ts";

/** Three times the interval at which the server reports that nothing has changed. */
const MAX_SILENCE_MS = 45_000;

/** A change of a watched directory, or a marker of the watch's progress. */
export type UserEvent = {
  /** Token of the place after the event, from which another watch can resume; empty if none can. */
  readonly resumeToken: string;
  /** Id of the change, the same in every watch; empty for events that are not changes. */
  readonly changeId: string;
} & (
  | { readonly type: "created" | "updated"; readonly user: User }
  | { readonly type: "removed"; readonly userId: string }
  /** All changes from before have been sent. */
  | { readonly type: "synced" }
  /** Nothing has changed for a while. */
  | { readonly type: "progress" }
  /** All earlier events are void. All users that match follow. */
  | { readonly type: "reset" }
);

/**
 * "live" if every change that the server knows of has arrived. Otherwise "catching up": the watch connects, or reads
 * the changes that it has missed.
 */
export type WatchState = "catching up" | "live";

export interface WatchQuery {
  /** Words, each of which must be the start of a word in name or e-mail. Default: all users. */
  filter?: string | undefined;
  /** Whether to begin with the existing users. Default false. */
  includeExisting?: boolean | undefined;
  /** Token to resume from, of an earlier watch with the same filter. */
  resumeToken?: string | undefined;
}

/** Options of a watch, which apply to each of its streams. It has no deadline; a signal can have one. */
export interface WatchOptions extends Omit<CallOptions, "timeoutMs"> {
  /** Called when the state changes. Before the first call it is "catching up". */
  onState?: ((state: WatchState) => void) | undefined;
  /** Called with the reason whenever the stream was lost and will be opened again. */
  onRetry?: ((error: ConnectError) => void) | undefined;
  /** Waits between two attempts. Their count begins anew with each event. Default: exponential, up to 5 s. */
  retry?: Pick<RetryOptions, "backoff" | "initialDelayMs" | "maxDelayMs"> | undefined;
  /** Time without any event after which the connection counts as lost, in milliseconds. Default 45 s. */
  maxSilenceMs?: number | undefined;
}

/** Facts about the client of a watch. */
export interface WatchingClient {
  /** Whether a refused token can be renewed. */
  readonly renewsTokens: boolean;
  /** Aborted when the client is closed. */
  readonly closing: AbortSignal;
}

/**
 * Yields the changes of users, each once and in order, for as long as the caller reads. A lost stream is opened again,
 * after the last event, until that succeeds. Leaving the loop ends the call.
 *
 * If the server can't be reached at the beginning, the call ends like any other. A stream whose token is refused is
 * opened again with another, if tokens can be renewed or the stream had begun.
 *
 * If a stream can't resume because the server no longer keeps the missed changes, and existing users are included,
 * `reset` follows.
 *
 * @throws The call's error if another attempt can't help.
 */
export async function* watchUsers(
  calls: Pick<ServiceClient<typeof UserService>, "watchUsers">,
  { filter = "", includeExisting = false, resumeToken: from = "" }: WatchQuery,
  options: WatchOptions,
  { renewsTokens, closing }: WatchingClient,
): AsyncIterable<UserEvent> {
  const { onState, onRetry, retry = {}, maxSilenceMs = MAX_SILENCE_MS, ...callOptions } = options;
  const { signal } = callOptions;
  let resumeToken = from;
  let state: WatchState = "catching up";
  const enter = (entered: WatchState) => {
    if (entered === state) return;
    state = entered;
    callHook(() => onState?.(entered));
  };
  /** Whether some users have arrived, but no stream can resume after them yet. */
  let isPartial = false;
  let hasEverBegun = false;
  /** Whether the last stream's token was refused at its beginning. */
  let wasRefused = false;
  for (let failures = 0; ; ) {
    if (isPartial && resumeToken === "") yield { type: "reset", resumeToken: "", changeId: "" };
    isPartial = false;
    const controller = createLinkedAbortController(signal);
    const silence = startSilenceClock(maxSilenceMs, (error) => controller.abort(error));
    let hasBegun = false;
    let failure: ConnectError;
    try {
      const request = { resumeToken, includeExisting, filter };
      for await (const response of calls.watchUsers(request, { ...callOptions, signal: controller.signal })) {
        hasBegun = true;
        hasEverBegun = true;
        failures = 0;
        const event = toEvent(response);
        if (event?.type === "reset") resumeToken = "";
        resumeToken = response.resumeToken || resumeToken;
        // A newer server may have more kinds of events.
        if (!event) {
          silence.start();
          continue;
        }
        isPartial = resumeToken === "";
        if (event.type === "reset") enter("catching up");
        if (event.type === "synced") enter("live");
        // The time that the reader takes must not count as the server's.
        silence.stop();
        yield event;
        silence.start();
      }
      failure = new ConnectError("the stream has ended", Code.Unavailable);
    } catch (error) {
      failure = ConnectError.from(controller.signal.aborted && !signal?.aborted ? controller.signal.reason : error);
    } finally {
      silence.stop();
      controller.abort();
    }
    enter("catching up");
    // The next call may have a new token. A refusal at the beginning, of a new token too, is final.
    const isRefused = failure.code === Code.Unauthenticated;
    const isRenewed = isRefused && (hasBegun || (renewsTokens && !wasRefused));
    wasRefused = isRefused && !hasBegun;
    // If a server has answered before, it is worth waiting for another one, however long that takes.
    const isAway = failure.code === Code.Unavailable && hasEverBegun && !forbidsRetry(failure);
    if (signal?.aborted || !(isRenewed || isAway || isTransient(failure))) throw failure;
    closing.throwIfAborted();
    failures += 1;
    callHook(() => onRetry?.(failure));
    await delay(delayAfter(failure, failures, retry), signal, closing);
  }
}

/** Reports a server that has sent nothing for this long, while the clock runs. */
function startSilenceClock(maxMs: number, onSilent: (error: ConnectError) => void) {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const text = `the server has not been heard of for ${maxMs / 1_000} s`;
  const stop = () => clearTimeout(timer);
  const start = () => {
    stop();
    timer = setTimeout(() => onSilent(new ConnectError(text, Code.Unavailable)), Math.min(maxMs, MAX_TIMER_MS));
  };
  start();
  return { start, stop };
}

function toEvent({ event, resumeToken, changeId }: WatchUsersResponse): UserEvent | undefined {
  switch (event.case) {
    case undefined:
      return undefined;
    case "created":
    case "updated":
      return { type: event.case, user: event.value, resumeToken, changeId };
    case "removed":
      return { type: "removed", userId: event.value.id, resumeToken, changeId };
    default:
      return { type: event.case, resumeToken, changeId };
  }
}
