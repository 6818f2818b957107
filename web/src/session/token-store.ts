import { BASE_PATH } from "../base.ts";

/** Data that a provider gives with the token. Like the token, it is kept for this tab only. */
export interface Grant {
  /** Undefined if the provider gave none: the session then ends with its token. */
  readonly refreshToken: string | undefined;
  /** At the sign-out, it shows the provider whose session ends. */
  readonly idToken: string | undefined;
  /** Time by this device's clock, in milliseconds since the Unix epoch. */
  readonly renewAtMs: number;
  /** Id of the grant. It is the same for all of the grant's tokens, and in a copy of the tab. */
  readonly id: string;
}

// Keys contain the path, because two servers may share an origin.
const TOKEN_KEY = `rollcall.token${BASE_PATH}`;
const GRANT_KEY = `rollcall.grant${BASE_PATH}`;

/** Returns the token that this tab stored before the page was reloaded. */
export function storedToken(): string | undefined {
  return withStorage((storage) => storage.getItem(TOKEN_KEY)) ?? undefined;
}

/** Returns the stored token's grant, if it came from a provider. */
export function storedGrant(): Grant | undefined {
  try {
    return JSON.parse(withStorage((storage) => storage.getItem(GRANT_KEY)) ?? "null") ?? undefined;
  } catch {
    return undefined;
  }
}

export function storeToken(token: string, grant: Grant | undefined): void {
  withStorage((storage) => {
    storage.setItem(TOKEN_KEY, token);
    if (grant) storage.setItem(GRANT_KEY, JSON.stringify(grant));
    else storage.removeItem(GRANT_KEY);
  });
}

export function dropToken(): void {
  withStorage((storage) => {
    storage.removeItem(TOKEN_KEY);
    storage.removeItem(GRANT_KEY);
  });
}

/** Returns whether a token survives a reload of the page. Browsers that block a site's data keep none. */
export function storesTokens(): boolean {
  return withStorage((storage) => storage.length) !== undefined;
}

/**
 * Uses the tab's storage, if the browser allows it. Where a site's data is blocked, even accessing the storage throws;
 * the session then lives only in memory.
 */
export function withStorage<T>(use: (storage: Storage) => T): T | undefined {
  try {
    return use(sessionStorage);
  } catch {
    return undefined;
  }
}
