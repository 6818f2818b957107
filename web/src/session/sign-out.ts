import { currentGrant, setWaiting, signOutHere } from "./session.ts";

const NOT_TOLD =
  "You are signed out here. Your identity provider could not be told, so that you may still be signed in there.";

/** Signs out of this app and, if it began the session, of the identity provider. */
export async function signOut(): Promise<void> {
  const grant = currentGrant();
  if (!grant) return signOutHere();
  signOutHere({ status: "busy", text: "Signing out…" });
  try {
    const { endProviderSession } = await import("./provider/sign-out.ts");
    await endProviderSession(grant);
  } catch {
    setWaiting({ status: "out", problem: NOT_TOLD });
  }
}
