import { readJwtClaims } from "@rollcall/shared/jwt-claims";
import { MAX_TIMER_MS } from "@rollcall/shared/max-timer-ms";
import { useSyncExternalStore } from "react";
import type { Answer } from "./ask-server.ts";
import { dropToken, storedToken, storeToken } from "./token-store.ts";

/** Who is signed in, as the token says. The server alone decides whether it is true. */
export interface Session {
  readonly token: string;
  /** The token's `sub`. */
  readonly subject: string;
  readonly scopes: readonly string[];
  /** Milliseconds since the Unix epoch. */
  readonly expiresAtMs: number;
}

/**
 * The state of this tab: signed in, perhaps with another session that a link
 * offers; signed out; or signed out because the token is of no use any more. The
 * problem is that of a link which was of no use either.
 */
export type SessionState =
  | { readonly status: "in"; readonly session: Session; readonly offer?: Session }
  | { readonly status: "out"; readonly problem?: string }
  | { readonly status: "expired" | "refused"; readonly subject: string; readonly problem?: string };

/** The server's message for a token that it would take if it had not expired. */
export const EXPIRED = "token has expired";

/** A signed JWT in compact form (RFC 7519, 3): its first part is JSON, which begins with a brace. */
const TOKEN = /eyJ[\w-]*\.[\w-]+\.[\w-]+/;

/** The least time between two questions to the server whether a token that seems to be over still holds, in milliseconds. */
const ASK_AGAIN_MS = 30_000;
const PROBLEMS = {
  expired: "This token has expired.",
  refused: "The server does not accept this token.",
  unknown: "By this device's clock this token has expired, and the server can't be asked. Try again later.",
};

const listeners = new Set<() => void>();
let state: SessionState = initialState();
let expiryTimer: ReturnType<typeof setTimeout> | undefined;
/** How far this device's clock is ahead of the server's, in milliseconds, as far as is known. */
let aheadMs = 0;
watchExpiry();

export function useSessionState(): SessionState {
  return useSyncExternalStore(onSessionChange, sessionState);
}

/** The session of a page that is only shown to who is signed in. */
export function useSession(): Session | undefined {
  const current = useSessionState();
  return current.status === "in" ? current.session : undefined;
}

export function sessionState(): SessionState {
  return state;
}

/** Returns what ends it. */
export function onSessionChange(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/**
 * Signs in with a token, wherever in the text it is: in a link, a header, quotes. It is
 * done at once, unless the token has expired by this device's clock: then the server is
 * asked, whose clock is the one that counts.
 *
 * @returns What is wrong with it, if anything is.
 */
export async function signIn(text: string): Promise<string | undefined> {
  const trimmed = text.trim();
  if (trimmed === "") return "Paste a token, or the link that the server printed.";
  const session = readToken(TOKEN.exec(trimmed)?.[0] ?? "");
  if (!session) return "This is not a token (a JWT that says whose it is and when it expires).";
  if (remainingMsOf(session) <= 0) {
    const before = state;
    const verdict = await ask(session);
    if (verdict !== "taken") return PROBLEMS[verdict];
    if (state !== before) return undefined;
  }
  storeToken(session.token);
  change({ status: "in", session });
  return undefined;
}

export function signOut(): void {
  end("out");
}

/**
 * The server takes the token no longer.
 *
 * @param isExpired Whether it has expired by the server's clock, which is the one that counts.
 */
export function endSession(isExpired: boolean): void {
  end(isExpired ? "expired" : "refused");
}

/**
 * Signs in with the token of a link's fragment, which is never sent to a server,
 * and takes it out of the address bar and the history. Any page can lead here with
 * any token: it takes nobody's session from them unless they say so.
 */
export function takeTokenFromAddress(): void {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (token === null) return;
  const address = new URL(location.href);
  address.hash = "";
  history.replaceState(history.state, "", address);
  if (state.status === "in") void offer(token);
  else void signIn(token).then((problem) => problem && state.status !== "in" && change({ ...state, problem }));
}

async function offer(token: string): Promise<void> {
  const session = readToken(token);
  if (!session || (remainingMsOf(session) <= 0 && (await ask(session)) !== "taken")) return;
  if (state.status === "in" && state.session.token !== token) change({ ...state, offer: session });
}

/** Takes the session that a link has offered in place of this one, or leaves it. */
export function answerOffer(isTaken: boolean): void {
  if (state.status !== "in" || !state.offer) return;
  const { session, offer } = state;
  const keep = () => change({ status: "in", session });
  if (isTaken) void signIn(offer.token).then((problem) => problem && state.status === "in" && keep());
  else keep();
}

function initialState(): SessionState {
  const session = readToken(storedToken() ?? "");
  return session ? { status: "in", session } : { status: "out" };
}

function end(status: "out" | "expired" | "refused"): void {
  if (state.status !== "in") return;
  dropToken();
  change(status === "out" ? { status } : { status, subject: state.session.subject });
}

function change(next: SessionState): void {
  state = next;
  watchExpiry();
  for (const listener of listeners) listener();
}

/** Time that a session has left by the server's clock, as far as that is known, in milliseconds. */
function remainingMsOf({ expiresAtMs }: Session): number {
  return expiresAtMs - (Date.now() - aheadMs);
}

/** Asks the server about a session's token, and notes the server's clock. */
async function ask({ token }: Session): Promise<Answer["verdict"]> {
  // Seldom needed, so it is no part of the page; where it can't be had, the server can't be asked either.
  const { verdict, nowMs } = await import("./ask-server.ts").then(
    ({ askServer }) => askServer(token),
    (): Answer => ({ verdict: "unknown" }),
  );
  if (nowMs !== undefined) aheadMs = Date.now() - nowMs;
  return verdict;
}

/** Waits for the session's end, and at least so long. */
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
  if (verdict === "expired" || verdict === "refused") end(verdict);
  else watchExpiry(ASK_AGAIN_MS);
}

/** Returns the session that a token stands for, if it is a JWT that says whose it is and when it expires. */
function readToken(token: string): Session | undefined {
  // Nothing else goes into a header, whose errors may quote it.
  if (TOKEN.exec(token)?.[0] !== token) return undefined;
  const { sub, exp, scope } = readJwtClaims(token) ?? {};
  if (typeof sub !== "string" || typeof exp !== "number") return undefined;
  const scopes = typeof scope === "string" ? scope.split(" ").filter((name) => name !== "") : [];
  return { token, subject: sub, scopes, expiresAtMs: exp * 1_000 };
}
