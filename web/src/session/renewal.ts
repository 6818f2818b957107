import { currentGrant, onSessionChange, remainingMsOf, sessionState, setRenewal } from "./session.ts";

/** Remaining time below which a token is renewed before it is sent, in milliseconds. */
const USED_UP_MS = 2_000;

type Renewer = typeof import("./provider/renewer.ts");
let loading: Promise<Renewer | undefined> | undefined;

/** Renews the tokens of sessions that a provider has begun, before they expire, for as long as the page is open. */
export function startRenewal(): void {
  const schedule = async () => (await load())?.schedule();
  setRenewal(async () => (await load())?.renew() ?? false);
  onSessionChange(() => void schedule());
  void schedule();
}

/** If the session's token can't be used any more but can be renewed, waits for another one. */
export async function renewIfUsedUp(): Promise<void> {
  const state = sessionState();
  if (state.status !== "in" || remainingMsOf(state.session) > USED_UP_MS) return;
  await (await load())?.renewUnlessJustTried();
}

/** Loads the code that renews tokens, once there is a session whose token can be renewed. */
async function load(): Promise<Renewer | undefined> {
  if (currentGrant()?.refreshToken) {
    loading ??= import("./provider/renewer.ts").catch(() => {
      loading = undefined;
      return undefined;
    });
  }
  return loading;
}
