import { BASE_PATH } from "../base.ts";
import { setWaiting } from "./session.ts";

/**
 * If this is the address that the provider leads back to, removes its answer from the address and the history, and
 * continues with it.
 */
export function takeCallback(): void {
  if (location.pathname !== `${BASE_PATH}/callback`) return;
  const { search } = location;
  history.replaceState(null, "", `${BASE_PATH}/`);
  setWaiting({ status: "busy", text: "Signing in…" });
  import("./provider/sign-in.ts")
    .then(({ takeAnswer }) => takeAnswer(search))
    .catch(() => setWaiting({ status: "out", problem: "A part of this page can't be loaded. Sign in again." }));
}
