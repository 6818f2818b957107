import { useEffect } from "react";

const SIGNS = ["pointermove", "pointerdown", "keydown"];

/**
 * Calls `load`, which stays the same, at the first sign of a person: what a page
 * needs only for them is there when they ask for it, even if the server has gone by
 * then, and keeps nobody waiting for the page.
 */
export function useFirstSign(load: () => void): void {
  useEffect(() => {
    for (const sign of SIGNS) addEventListener(sign, load, { once: true });
    return () => {
      for (const sign of SIGNS) removeEventListener(sign, load);
    };
  }, [load]);
}
