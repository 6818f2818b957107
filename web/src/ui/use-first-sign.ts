import { useEffect } from "react";

const SIGNS = ["pointermove", "pointerdown", "keydown"];

/**
 * Calls `load` when the mouse or a key is first used. So a page does not wait for code
 * that only a person's action needs, and that code is there even if the server has gone
 * by the time of the action. `load` must be the same function at each render.
 */
export function useFirstSign(load: () => void): void {
  useEffect(() => {
    for (const sign of SIGNS) addEventListener(sign, load, { once: true });
    return () => {
      for (const sign of SIGNS) removeEventListener(sign, load);
    };
  }, [load]);
}
