import { useEffect } from "react";

const SIGNS = ["pointermove", "pointerdown", "keydown"];

/**
 * Calls `load` when the mouse or a key is first used. A page therefore does not wait for code that only a person's
 * action needs. And the code is loaded before that action, even if the server is gone by then. `load` must be the same
 * function at each render.
 */
export function useFirstSign(load: () => void): void {
  useEffect(() => {
    for (const sign of SIGNS) addEventListener(sign, load, { once: true });
    return () => {
      for (const sign of SIGNS) removeEventListener(sign, load);
    };
  }, [load]);
}
