import { BASE_PATH } from "../../base.ts";

/** Prefix of the `state` of a sign-in that takes place in a window of its own. */
export const POPUP_STATE = "window.";

/** If the provider's answer is that of a window, hands it to the page that opened the window. Returns whether it is. */
export function passOn(search: string): boolean {
  if (!new URLSearchParams(search).get("state")?.startsWith(POPUP_STATE)) return false;
  popupChannel().postMessage(search);
  window.close();
  return true;
}

/** Waits for the answer that the sign-in's window brings back. Resolves with undefined if the signal ended the wait. */
export function awaitWindow(state: string, signal: AbortSignal): Promise<string | undefined> {
  const channel = popupChannel();
  const answer = new Promise<string | undefined>((resolve) => {
    signal.addEventListener("abort", () => resolve(undefined), { once: true });
    channel.onmessage = ({ data }: MessageEvent<unknown>) => {
      if (typeof data === "string" && new URLSearchParams(data).get("state") === state) resolve(data);
    };
  });
  return answer.finally(() => channel.close());
}

function popupChannel(): BroadcastChannel {
  return new BroadcastChannel(`rollcall.sign-in${BASE_PATH}`);
}
