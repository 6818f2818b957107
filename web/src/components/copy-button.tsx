import { useState } from "react";

/** The button's picture, by what came of it: two sheets, a tick, a cross. */
const SHAPES = {
  "": "M5.5 5.5v-3h8v8h-3M2.5 5.5h8v8h-8z",
  Copied: "M3 8.5 6.5 12 13 4.5",
  "Not copied": "M4 4l8 8M12 4l-8 8",
};

/** Copies a text, and says so. */
export function CopyButton({ text, label }: { text: string; label: string }) {
  const [outcome, setOutcome] = useState<keyof typeof SHAPES>("");
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setOutcome("Copied");
    } catch {
      setOutcome("Not copied");
    }
    setTimeout(() => setOutcome(""), 2_000);
  };
  return (
    <>
      <button type="button" className="copy" onClick={copy} aria-label={label} title={label}>
        <svg viewBox="0 0 16 16" aria-hidden="true">
          <path d={SHAPES[outcome]} />
        </svg>
      </button>
      <span className="visually-hidden" role="status">
        {outcome}
      </span>
    </>
  );
}
