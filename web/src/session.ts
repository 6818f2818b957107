const STORAGE_KEY = "rollcall.token";

/** The token of this tab's session. */
export function storedToken(): string | undefined {
  return sessionStorage.getItem(STORAGE_KEY) ?? undefined;
}

export function signIn(token: string): void {
  sessionStorage.setItem(STORAGE_KEY, token);
}

export function signOut(): void {
  sessionStorage.removeItem(STORAGE_KEY);
}

/**
 * Signs in with the token of a link's fragment, which is never sent to a server,
 * and takes it out of the address bar and the history.
 */
export function takeTokenFromAddress(): void {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (token === null) return;
  signIn(token);
  history.replaceState(null, "", location.pathname + location.search);
}
