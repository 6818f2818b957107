import { MAX_TIMER_MS } from "@rollcall/shared/max-timer-ms";
import { BASE_PATH } from "../../base.ts";
import { currentGrant, dropRefreshToken, replaceToken } from "../session.ts";

/** Time until another attempt after one that has failed, in milliseconds. */
const TRY_AGAIN_MS = 10_000;

/** Grants that this tab has tried to claim, and those that it has claimed. */
const claimed = new Set<string>();
const owned = new Set<string>();
let timer: ReturnType<typeof setTimeout> | undefined;
let attempt: Promise<boolean> | undefined;
let notBeforeMs = 0;

/**
 * Schedules the renewal of the session's token, for when most of its lifetime has passed. Called again whenever the
 * session changes.
 */
export function schedule(): void {
  clearTimeout(timer);
  const grant = currentGrant();
  if (!grant?.refreshToken) return;
  claim(grant.id);
  const waitMs = Math.max(0, Math.max(grant.renewAtMs, notBeforeMs) - Date.now());
  timer = setTimeout(() => (waitMs > MAX_TIMER_MS ? schedule() : void renew()), Math.min(waitMs, MAX_TIMER_MS));
}

/**
 * Claims a grant for this tab until its page is closed. A duplicated tab has a copy of it, and a provider that sees a
 * refresh token twice considers it stolen, and ends both sessions.
 */
function claim(id: string): void {
  if (claimed.has(id)) return;
  claimed.add(id);
  const keep = () => {
    owned.add(id);
    return new Promise<never>(() => {});
  };
  navigator.locks?.request(`rollcall.grant${BASE_PATH}.${id}`, keep).catch(() => {});
}

/** Waits for another token, except soon after a failed attempt. */
export async function renewUnlessJustTried(): Promise<void> {
  if (currentGrant()?.refreshToken && Date.now() >= notBeforeMs) await renew();
}

/** Resolves with whether the session has another token. There is one attempt at a time. */
export function renew(): Promise<boolean> {
  attempt ??= tryToRenew().finally(() => {
    attempt = undefined;
  });
  return attempt;
}

async function tryToRenew(): Promise<boolean> {
  const grant = currentGrant();
  if (!grant?.refreshToken || !owned.has(grant.id)) return false;
  const answer = await import("./renew.ts")
    .then(({ renewGrant }) => renewGrant({ ...grant, refreshToken: grant.refreshToken ?? "" }))
    .catch(() => undefined);
  // Somebody has signed out or in meanwhile.
  if (currentGrant() !== grant) return false;
  if (answer === "refused") {
    dropRefreshToken();
    return false;
  }
  if (!answer) {
    notBeforeMs = Date.now() + TRY_AGAIN_MS;
    schedule();
    return false;
  }
  replaceToken(answer.token, answer.grant);
  return true;
}
