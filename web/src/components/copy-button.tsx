import { useState } from "react";

/** Copies a text, and says so. */
export function CopyButton({ text, label }: { text: string; label: string }) {
  const [outcome, setOutcome] = useState("");
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
          {outcome === "Copied" ? <path d="M3 8.5 6.5 12 13 4.5" /> : <path d="M5.5 5.5v-3h8v8h-3M2.5 5.5h8v8h-8z" />}
        </svg>
      </button>
      <span className="visually-hidden" role="status">
        {outcome}
      </span>
    </>
  );
}
