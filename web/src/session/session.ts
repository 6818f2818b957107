import { useSyncExternalStore } from "react";
import { BASE_PATH } from "../base.ts";

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

/** A signed JWT in compact form (RFC 7519, 3): its first part is JSON, which begins with a brace. */
const TOKEN = /eyJ[\w-]*\.[\w-]+\.[\w-]+/;

/** Two servers may share an origin, each below a path of its own. */
const STORAGE_KEY = `rollcall.token${BASE_PATH}`;
/** setTimeout waits no longer than this; it fires at once beyond. */
const MAX_TIMER_MS = 2 ** 31 - 1;

const listeners = new Set<() => void>();
let state: SessionState = initialState();
let expiryTimer: ReturnType<typeof setTimeout> | undefined;
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
 * Signs in with a token, wherever in the text it is: in a link, a header, quotes.
 * Returns what is wrong with it, if anything is.
 */
export function signIn(text: string): string | undefined {
  const trimmed = text.trim();
  if (trimmed === "") return "Paste a token, or the link that the server printed.";
  const session = readToken(TOKEN.exec(trimmed)?.[0] ?? "");
  if (!session) return "This is not a token (a JWT that says whose it is and when it expires).";
  if (session.expiresAtMs <= Date.now()) return "This token has expired.";
  sessionStorage.setItem(STORAGE_KEY, session.token);
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
  end(isExpired || (state.status === "in" && state.session.expiresAtMs <= Date.now()) ? "expired" : "refused");
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
  if (state.status === "in") {
    const offer = token === state.session.token ? undefined : readToken(token);
    if (offer && offer.expiresAtMs > Date.now()) change({ ...state, offer });
    return;
  }
  const problem = signIn(token);
  if (problem) change({ ...state, problem });
}

/** Takes the session that a link has offered in place of this one, or leaves it. */
export function answerOffer(isTaken: boolean): void {
  if (state.status !== "in" || !state.offer) return;
  const { session, offer } = state;
  const problem = isTaken ? signIn(offer.token) : undefined;
  if (!isTaken || problem) change({ status: "in", session });
}

function initialState(): SessionState {
  const session = readToken(sessionStorage.getItem(STORAGE_KEY) ?? "");
  return session ? { status: "in", session } : { status: "out" };
}

function end(status: "out" | "expired" | "refused"): void {
  if (state.status !== "in") return;
  sessionStorage.removeItem(STORAGE_KEY);
  change(status === "out" ? { status } : { status, subject: state.session.subject });
}

function change(next: SessionState): void {
  state = next;
  watchExpiry();
  for (const listener of listeners) listener();
}

function watchExpiry(): void {
  clearTimeout(expiryTimer);
  if (state.status !== "in") return;
  const remainingMs = state.session.expiresAtMs - Date.now();
  expiryTimer = setTimeout(
    () => (remainingMs > MAX_TIMER_MS ? watchExpiry() : end("expired")),
    Math.min(Math.max(remainingMs, 0), MAX_TIMER_MS),
  );
}

/** The claims of a JWT (RFC 7519), unverified. */
function readToken(token: string): Session | undefined {
  // Nothing else goes into a header, whose errors may quote it.
  if (TOKEN.exec(token)?.[0] !== token) return undefined;
  try {
    const payload = token.split(".", 3)[1] ?? "";
    const binary = atob(payload.replaceAll("-", "+").replaceAll("_", "/"));
    const bytes = Uint8Array.from(binary, (character) => character.charCodeAt(0));
    const claims: unknown = JSON.parse(new TextDecoder().decode(bytes));
    if (typeof claims !== "object" || claims === null) return undefined;
    const { sub, exp, scope } = claims as Record<string, unknown>;
    if (typeof sub !== "string" || typeof exp !== "number") return undefined;
    const scopes = typeof scope === "string" ? scope.split(" ").filter((name) => name !== "") : [];
    return { token, subject: sub, scopes, expiresAtMs: exp * 1_000 };
  } catch {
    return undefined;
  }
}
