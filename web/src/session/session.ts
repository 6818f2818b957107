import { readJwtClaims } from "@rollcall/shared/jwt-claims";
import { MAX_TIMER_MS } from "@rollcall/shared/max-timer-ms";
import { useSyncExternalStore } from "react";
import type { Answer } from "./ask-server.ts";
import { dropToken, storedToken, storeToken } from "./token-store.ts";

/** Person who is signed in, as the token says. Only the server can know whether that is true. */
export interface Session {
  readonly token: string;
  /** The token's `sub`. */
  readonly subject: string;
  readonly scopes: readonly string[];
  /** Milliseconds since the Unix epoch. */
  readonly expiresAtMs: number;
}

/**
 * State of this tab:
 * - signed in, perhaps with another session that a link offers;
 * - signed out;
 * - signed out because the token is of no use any more.
 *
 * The problem is that of a link whose token is of no use either.
 */
export type SessionState =
  | { readonly status: "in"; readonly session: Session; readonly offer?: Session }
  | { readonly status: "out"; readonly problem?: string }
  | { readonly status: "expired" | "refused"; readonly subject: string; readonly problem?: string };

/** Message of the server for a token whose only fault is that it has expired. */
export const EXPIRED = "token has expired";

/** Signed JWT in compact form (RFC 7519, 3): its first part is JSON, which begins with a brace. */
const TOKEN = /eyJ[\w-]*\.[\w-]+\.[\w-]+/;

/** Shortest time, in milliseconds, between two questions to the server about a token that seems to have expired. */
const ASK_AGAIN_MS = 30_000;
const PROBLEMS = {
  expired: "This token has expired.",
  refused: "The server does not accept this token.",
  unknown: "By this device's clock this token has expired, and the server can't be asked. Try again later.",
};

const listeners = new Set<() => void>();
let state: SessionState = initialState();
let expiryTimer: ReturnType<typeof setTimeout> | undefined;
/** Time that this device's clock is ahead of the server's, in milliseconds, as far as is known. */
let aheadMs = 0;
watchExpiry();

export function useSessionState(): SessionState {
  return useSyncExternalStore(onSessionChange, sessionState);
}

/** Returns the session; there always is one on pages that are shown only to people who are signed in. */
export function useSession(): Session | undefined {
  const current = useSessionState();
  return current.status === "in" ? current.session : undefined;
}

export function sessionState(): SessionState {
  return state;
}

/** Calls the listener at each change of the session. Returns the function that ends this. */
export function onSessionChange(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/**
 * Signs in with a token, wherever in the text it is: in a link, a header, quotes. A token
 * that has expired by this device's clock is shown to the server first, because the
 * server's clock decides.
 *
 * @returns A sentence about what is wrong with the token, or undefined.
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
 * Ends the session because the server no longer takes the token.
 *
 * @param isExpired Whether the token has expired by the server's clock.
 */
export function endSession(isExpired: boolean): void {
  end(isExpired ? "expired" : "refused");
}

/**
 * Signs in with the token of a link's fragment, which is never sent to a server, and
 * takes it out of the address bar and the history. Any page can lead here with any token,
 * so a person who is signed in is asked first.
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

/** Takes the session that a link has offered in place of this one, or declines it. */
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

/** Returns the time that a session has left, in milliseconds, by the server's clock as far as that is known. */
function remainingMsOf({ expiresAtMs }: Session): number {
  return expiresAtMs - (Date.now() - aheadMs);
}

/** Asks the server about a session's token, and notes the server's clock. */
async function ask({ token }: Session): Promise<Answer["verdict"]> {
  // Seldom needed, so it is loaded only now. If it can't be loaded, the server can't be asked either.
  const { verdict, nowMs } = await import("./ask-server.ts").then(
    ({ askServer }) => askServer(token),
    (): Answer => ({ verdict: "unknown" }),
  );
  if (nowMs !== undefined) aheadMs = Date.now() - nowMs;
  return verdict;
}

/** Checks the session when it should have expired, and not before so many milliseconds. */
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
  // Only a token may go into a header: errors about a header may quote its value.
  if (TOKEN.exec(token)?.[0] !== token) return undefined;
  const { sub, exp, scope } = readJwtClaims(token) ?? {};
  if (typeof sub !== "string" || typeof exp !== "number") return undefined;
  const scopes = typeof scope === "string" ? scope.split(" ").filter((name) => name !== "") : [];
  return { token, subject: sub, scopes, expiresAtMs: exp * 1_000 };
}
