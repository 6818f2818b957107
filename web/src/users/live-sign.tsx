import type { Live } from "./use-live.ts";

const TEXTS = { off: "", "catching up": "Catching up…", live: "Live" } as const;

/**
 * Shows whether the page shows changes of others immediately. It always takes the same room, so that nothing moves when
 * it changes.
 */
export function LiveSign({ state }: Pick<Live, "state">) {
  return (
    <span className="live" data-state={state}>
      {TEXTS[state]}
    </span>
  );
}
