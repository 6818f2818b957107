import type { Live } from "./use-live.ts";

/** Says whether the page shows changes of others at once. */
export function LiveSign({ state }: Pick<Live, "state">) {
  return state !== "off" && <span className="live">{state === "live" ? "Live" : "Catching up…"}</span>;
}
