import { useEffect, useEffectEvent } from "react";

/** Returns whether a key, pressed here, types text. */
function isTyping({ target }: KeyboardEvent): boolean {
  return (
    target instanceof Element &&
    target.closest("input:not([type=checkbox]), textarea, select, [contenteditable], [role=menu]") !== null
  );
}

/**
 * Calls `run` when a key is pressed on its own and does not type text. While a dialog is open, keys belong to the
 * dialog.
 *
 * @param key Such as "/".
 */
export function useKey(key: string, run: () => void): void {
  const onKey = useEffectEvent((event: KeyboardEvent) => {
    const isAlone = !event.ctrlKey && !event.metaKey && !event.altKey;
    if (event.key !== key || !isAlone || isTyping(event) || document.querySelector("[role$=dialog]")) return;
    event.preventDefault();
    run();
  });
  useEffect(() => {
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
}
