import { type ComponentType, useEffect, useEffectEvent, useState } from "react";

interface PaletteProps {
  onClose(): void;
}

/** Names the keys as the person's keyboard does. */
const KEYS = navigator.userAgent.includes("Mac") ? "⌘ K" : "Ctrl K";

/** Button of the palette, which also opens by its keys. Its code is loaded when it is first used. */
export function PaletteHost() {
  const [Palette, setPalette] = useState<ComponentType<PaletteProps>>();
  const [isOpen, setIsOpen] = useState(false);
  const open = async () => {
    // If it can't be loaded, the links of the pages still work.
    const loaded = await import("./palette.tsx").catch(() => undefined);
    setPalette(() => loaded?.Palette);
    setIsOpen(loaded !== undefined);
  };
  const onKey = useEffectEvent((event: KeyboardEvent) => {
    if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey) return;
    event.preventDefault();
    // An open dialog keeps everything that was typed into it.
    if (!document.querySelector("[role$=dialog]")) void open();
  });
  useEffect(() => {
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
  return (
    <>
      <button type="button" className="quiet palette-button" onClick={() => void open()}>
        Go to <kbd>{KEYS}</kbd>
      </button>
      {Palette && isOpen && <Palette onClose={() => setIsOpen(false)} />}
    </>
  );
}
