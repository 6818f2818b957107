import { BASE_PATH } from "../base.ts";

/** Two servers may share an origin, each below a path of its own. */
const KEY = `rollcall.token${BASE_PATH}`;

/** The token of this tab, from before the page was loaded again. */
export function storedToken(): string | undefined {
  return withStorage((storage) => storage.getItem(KEY)) ?? undefined;
}

export function storeToken(token: string): void {
  withStorage((storage) => storage.setItem(KEY, token));
}

export function dropToken(): void {
  withStorage((storage) => storage.removeItem(KEY));
}

/** Whether a token outlives the page: browsers that block a site's data keep none. */
export function storesTokens(): boolean {
  return withStorage((storage) => storage.length) !== undefined;
}

/** Browsers that block a site's data throw even where its storage is named; the session then lives in memory alone. */
function withStorage<T>(use: (storage: Storage) => T): T | undefined {
  try {
    return use(sessionStorage);
  } catch {
    return undefined;
  }
}
