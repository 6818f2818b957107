import { useEffect, useSyncExternalStore } from "react";

const SILENCE = { text: "", number: 0 };
let last = SILENCE;
const listeners = new Set<() => void>();

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Announces a text to screen readers. The latest one wins, even if it repeats the previous one. */
export function announce(text: string): void {
  last = { text, number: last.number + 1 };
  for (const listener of listeners) listener();
}

/** Place of all announcements of the page. It is emptied when another person signs in. */
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
