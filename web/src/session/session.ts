import { MAX_TIMER_MS } from "@rollcall/shared/max-timer-ms";
import { useSyncExternalStore } from "react";
import type { Answer } from "./ask-server.ts";
import { readToken, type Session } from "./read-token.ts";
import { dropToken, type Grant, storedGrant, storedToken, storeToken } from "./token-store.ts";

export type { Session } from "./read-token.ts";

/**
 * State of this tab:
 * - signed in, perhaps with another session that a link offers, or with the problem of a link;
 * - signed out;
 * - busy with a provider's answer, or on the way to the provider;
 * - signed out because the token is no longer valid. The page is kept for the same person.
 *
 * The problem is that of a link, or of a sign-in that has failed.
 */
export type SessionState =
  | { readonly status: "in"; readonly session: Session; readonly offer?: Session; readonly notice?: string }
  | { readonly status: "out"; readonly problem?: string }
  | { readonly status: "busy"; readonly text: string }
  | {
      readonly status: "expired" | "refused";
      readonly session: Session;
      /** Whether the server has ever accepted the token. */
      readonly wasTaken: boolean;
      readonly problem?: string;
    };

/** State of a tab in which nobody is signed in. */
export type OutState = Exclude<SessionState, { status: "in" | "busy" }>;

/** Message of the server for a token whose only fault is that it has expired. */
export const EXPIRED = "token has expired";

/** Shortest time between two requests to the server about a token that seems to have expired, in milliseconds. */
const ASK_AGAIN_MS = 30_000;
const PROBLEMS = {
  expired: "This token has expired.",
  refused: "The server does not accept this token.",
  unknown: "By this device's clock this token has expired, and the server can't be asked. Try again later.",
};

const listeners = new Set<() => void>();
let state: SessionState = initialState();
let grant = state.status === "in" ? storedGrant() : undefined;
/** Whether the server has accepted the session's token. A stored token has been in use before. */
let wasTaken = state.status === "in";
/** Renews the session's token, if that is possible. */
let renewOnExpiry: (() => Promise<boolean>) | undefined;
let expiryTimer: ReturnType<typeof setTimeout> | undefined;
/** Difference by which this device's clock is ahead of the server's, in milliseconds, as far as it is known. */
let aheadMs = 0;
watchExpiry();

export function useSessionState(): SessionState {
  return useSyncExternalStore(onSessionChange, sessionState);
}

/** Returns the session. Pages that only signed-in people see always have one. */
export function useSession(): Session | undefined {
  const current = useSessionState();
  return current.status === "in" ? current.session : undefined;
}

export function sessionState(): SessionState {
  return state;
}

/**
 * Returns the data that the session's provider gave with the token; undefined for a token that was pasted or in a link.
 */
export function currentGrant(): Grant | undefined {
  return state.status === "in" ? grant : undefined;
}

/** Calls the listener at each change of the session. Returns the function that ends this. */
export function onSessionChange(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/**
 * Sets the function that tries to renew a token before its session ends. It resolves with whether there is another
 * token.
 */
export function setRenewal(renew: () => Promise<boolean>): void {
  renewOnExpiry = renew;
}

/**
 * Signs in with a token's session. If it has expired by this device's clock, the server is asked first, since the
 * server's clock decides.
 *
 * @returns A sentence about the fault of the token, or undefined.
 */
export async function signIn(session: Session): Promise<string | undefined> {
  const before = state;
  const problem = await problemOf(session);
  if (problem === undefined && state === before) takeSession(session);
  return problem;
}

/** Signs in with a session whose token has no problem. */
export function takeSession(session: Session): void {
  enter(session, undefined);
}

/**
 * Signs in with tokens that a provider has just given.
 *
 * @returns Whether the access token can be read.
 */
export function signInByProvider(token: string, given: Grant): boolean {
  const session = readToken(token);
  if (session) enter(session, given);
  return session !== undefined;
}

/** Replaces the session's token by a renewed one. The page continues. */
export function replaceToken(token: string, given: Grant): void {
  const renewed = readToken(token);
  if (state.status !== "in" || renewed?.subject !== state.session.subject) return;
  storeToken(token, given);
  grant = given;
  change({ ...state, session: { ...renewed, key: state.session.key } });
}

/** Notes that the session's refresh token is no longer valid. The token itself may still be. */
export function dropRefreshToken(): void {
  if (state.status !== "in" || !grant) return;
  grant = { ...grant, refreshToken: undefined };
  storeToken(state.session.token, grant);
}

/** Signs out of this app. The provider's own session is not affected. */
export function signOutHere(next: SessionState = { status: "out" }): void {
  if (state.status !== "in") return;
  dropToken();
  change(next);
}

/** Shows that the page waits for a provider, or the outcome of that. */
export function setWaiting(next: Extract<SessionState, { status: "busy" | "out" }>): void {
  if (state.status !== "in") change(next);
}

/** Notes how far this device's clock is ahead of the server's, in milliseconds. */
export function noteServerClock(ms: number): void {
  aheadMs = ms;
}

/** Notes that the server has accepted a token. */
export function noteTaken(token: string | undefined): void {
  if (state.status === "in" && state.session.token === token) wasTaken = true;
}

/**
 * Ends the session because the server no longer accepts the token, unless the token has only expired and can be
 * renewed.
 *
 * @param isExpired Whether the token has expired by the server's clock.
 * @param wasInUse Whether the token was accepted before.
 */
export function endSession(isExpired: boolean, wasInUse = wasTaken): void {
  if (state.status !== "in") return;
  const { session } = state;
  const end = () => {
    if (state.status !== "in" || state.session !== session) return;
    dropToken();
    change({ status: isExpired ? "expired" : "refused", session, wasTaken: wasInUse });
  };
  if (isExpired && renewOnExpiry && grant?.refreshToken) void renewOnExpiry().then((isRenewed) => isRenewed || end());
  else end();
}

/** Shows the news about a link that led here: the offer of another session, or a problem. */
export function setLinkNews(news: { readonly offer?: Session; readonly problem?: string }): void {
  if (state.status === "in") {
    const { session } = state;
    const { offer, problem: notice } = news;
    change({ status: "in", session, ...(offer && { offer }), ...(notice && { notice }) });
  } else if (state.status !== "busy" && news.problem) {
    change({ ...state, problem: news.problem });
  }
}

/** Resolves with the problem of a session that seems to have expired; undefined if the server accepts it. */
export async function problemOf(session: Session): Promise<string | undefined> {
  if (remainingMsOf(session) > 0) return undefined;
  const verdict = await ask(session);
  return verdict === "taken" ? undefined : PROBLEMS[verdict];
}

function initialState(): SessionState {
  const session = readToken(storedToken() ?? "");
  return session ? { status: "in", session } : { status: "out" };
}

function enter(session: Session, given: Grant | undefined): void {
  // If the person comes back, their page was kept.
  const kept = state.status === "expired" || state.status === "refused" ? state.session : undefined;
  const key = kept?.subject === session.subject ? kept.key : session.key;
  storeToken(session.token, given);
  grant = given;
  wasTaken = given !== undefined;
  change({ status: "in", session: { ...session, key } });
}

function change(next: SessionState): void {
  state = next;
  watchExpiry();
  for (const listener of listeners) listener();
}

/** Returns the remaining time of a session in milliseconds, by the server's clock as far as that is known. */
export function remainingMsOf({ expiresAtMs }: Session): number {
  return expiresAtMs - (Date.now() - aheadMs);
}

/** Asks the server about a session's token, and notes the server's clock. */
async function ask({ token }: Session): Promise<Answer["verdict"]> {
  // Rarely needed, so it is loaded only now. If it can't be loaded, the server can't be asked either.
  const { verdict, nowMs } = await import("./ask-server.ts").then(
    ({ askServer }) => askServer(token),
    (): Answer => ({ verdict: "unknown" }),
  );
  if (nowMs !== undefined) aheadMs = Date.now() - nowMs;
  return verdict;
}

/** Checks the session when it should have expired, but no earlier than after `leastMs`. */
function watchExpiry(leastMs = 0): void {
  clearTimeout(expiryTimer);
  if (state.status !== "in") return;
  const waitMs = Math.max(remainingMsOf(state.session), leastMs);
  expiryTimer = setTimeout(
    () => (waitMs > MAX_TIMER_MS ? watchExpiry() : void confirmExpiry()),
    Math.min(waitMs, MAX_TIMER_MS),
  );
}

/** Ends the session if the server says so: this device's clock may be wrong. */
async function confirmExpiry(): Promise<void> {
  if (state.status !== "in") return;
  const { session } = state;
  const verdict = await ask(session);
  if (state.status !== "in" || state.session !== session) return;
  if (verdict === "expired" || verdict === "refused")
    endSession(verdict === "expired", wasTaken || verdict === "expired");
  else watchExpiry(ASK_AGAIN_MS);
}
