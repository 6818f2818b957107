import { useEffect, useState } from "react";
import { announce } from "./announcer.tsx";
import { copyText } from "./copy-text.ts";

/** Icons of the button by outcome: two sheets, a tick, a cross. */
const SHAPES = {
  "": "M5.5 5.5v-3h8v8h-3M2.5 5.5h8v8h-8z",
  Copied: "M3 8.5 6.5 12 13 4.5",
  "Not copied": "M4 4l8 8M12 4l-8 8",
};
/** Time for which the outcome is shown, in milliseconds: a tick is seen immediately, words have to be read. */
const SHOWN_MS = { "": 0, Copied: 2_000, "Not copied": 6_000 };
const HELP = "Select the text and copy it yourself";

/**
 * Button that copies a text, and shows that it did. If the browser does not allow it, the button says what to do
 * instead.
 */
export function CopyButton({ text, label }: { text: string; label: string }) {
  // A new object each time, so that a second copy is announced and shown as long as the first.
  const [outcome, setOutcome] = useState<{ result: keyof typeof SHAPES }>({ result: "" });
  useEffect(() => {
    if (outcome.result === "") return;
    announce(outcome.result === "Copied" ? "Copied" : `Not copied. ${HELP}.`);
    const timer = setTimeout(() => setOutcome({ result: "" }), SHOWN_MS[outcome.result]);
    return () => clearTimeout(timer);
  }, [outcome]);
  const copy = async () => setOutcome({ result: (await copyText(text)) ? "Copied" : "Not copied" });
  return (
    <button type="button" className="copy" onClick={copy} aria-label={label} title={label}>
      <svg viewBox="0 0 16 16" aria-hidden="true">
        <path d={SHAPES[outcome.result]} />
      </svg>
      {outcome.result === "Not copied" && (
        <span className="copy-help" aria-hidden="true">
          {HELP}
        </span>
      )}
    </button>
  );
}
