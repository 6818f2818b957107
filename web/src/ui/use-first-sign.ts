import { useEffect } from "react";

const SIGNS = ["pointermove", "pointerdown", "keydown"];

/**
 * Calls `load` when the mouse or a key is first used. A page therefore does not wait for code that only a person's
 * action needs. And the code is loaded before that action, even if the server is gone by then. `load` must be the same
 * function at each render.
 */
export function useFirstSign(load: () => void): void {
  useEffect(() => {
    const onSign = (event: Event) => {
      if (isAtRest(event)) return;
      stop();
      load();
    };
    const stop = () => {
      for (const sign of SIGNS) removeEventListener(sign, onSign);
    };
    for (const sign of SIGNS) addEventListener(sign, onSign);
    return stop;
  }, [load]);
}

/** Browsers report a pointer that does not move when a page appears below it. */
function isAtRest(event: Event): boolean {
  return event.type === "pointermove" && event instanceof MouseEvent && !event.movementX && !event.movementY;
}
