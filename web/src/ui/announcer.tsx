import { useEffect, useSyncExternalStore } from "react";

const SILENCE = { text: "", number: 0 };
let last = SILENCE;
const listeners = new Set<() => void>();

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Says something to those who can't see it happen; the last word counts, also when it is the one before again. */
export function announce(text: string): void {
  last = { text, number: last.number + 1 };
  for (const listener of listeners) listener();
}

/** What screen readers are told: one place for all of the page. What one person was told is not for the next. */
export function Announcer() {
  const { text, number } = useSyncExternalStore(subscribe, () => last);
  useEffect(
    () => () => {
      last = SILENCE;
    },
    [],
  );
  return (
    <p className="visually-hidden" role="status">
      <span key={number}>{text}</span>
    </p>
  );
}
