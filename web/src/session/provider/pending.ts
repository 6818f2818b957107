import { BASE_PATH } from "../../base.ts";
import { withStorage } from "../token-store.ts";

/** A sign-in that has begun and waits for the provider's answer. */
export interface Pending {
  readonly state: string;
  readonly nonce: string;
  readonly codeVerifier: string;
  /** Path, query and fragment of the page that the person wanted. */
  readonly returnTo: string;
}

// One for each tab: beginning a sign-in gives up the earlier one.
const KEY = `rollcall.sign-in${BASE_PATH}`;

/** Keeps a sign-in until this tab comes back. Returns whether the browser allows that. */
export function storePending(pending: Pending): boolean {
  return withStorage((storage) => storage.setItem(KEY, JSON.stringify(pending)) ?? true) ?? false;
}

/** Returns the sign-in that this tab has begun, for one use. */
export function takePending(): Pending | undefined {
  const text = withStorage((storage) => {
    const stored = storage.getItem(KEY);
    storage.removeItem(KEY);
    return stored;
  });
  try {
    return JSON.parse(text ?? "null") ?? undefined;
  } catch {
    return undefined;
  }
}
