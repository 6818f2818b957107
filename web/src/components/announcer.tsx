import { useSyncExternalStore } from "react";

let text = "";
const listeners = new Set<() => void>();

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Says something to those who can't see it happen; the last word counts. */
export function announce(message: string): void {
  text = message;
  for (const listener of listeners) listener();
}

/** What screen readers are told: one place for all of the page. */
export function Announcer() {
  const message = useSyncExternalStore(subscribe, () => text);
  return (
    <p className="visually-hidden" role="status">
      {message}
    </p>
  );
}
