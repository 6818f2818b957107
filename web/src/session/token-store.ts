import { BASE_PATH } from "../base.ts";

/** Key of the token. It contains the path, because two servers may share an origin. */
const KEY = `rollcall.token${BASE_PATH}`;

/** Returns the token that this tab stored before the page was loaded again. */
export function storedToken(): string | undefined {
  return withStorage((storage) => storage.getItem(KEY)) ?? undefined;
}

export function storeToken(token: string): void {
  withStorage((storage) => storage.setItem(KEY, token));
}

export function dropToken(): void {
  withStorage((storage) => storage.removeItem(KEY));
}

/** Reports whether a token outlives the page. Browsers that block a site's data keep none. */
export function storesTokens(): boolean {
  return withStorage((storage) => storage.length) !== undefined;
}

/**
 * Uses the tab's storage, if the browser allows it. Where a site's data is blocked, even
 * naming the storage throws; the session then lives only in memory.
 */
function withStorage<T>(use: (storage: Storage) => T): T | undefined {
  try {
    return use(sessionStorage);
  } catch {
    return undefined;
  }
}
