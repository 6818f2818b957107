import { type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";
import { useSyncExternalStore } from "react";

const TICK_MS = 15_000;
const UNITS = [
  ["year", 31_557_600_000],
  ["month", 2_629_800_000],
  ["day", 86_400_000],
  ["hour", 3_600_000],
  ["minute", 60_000],
] as const;

const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

let nowMs = Date.now();
let timer: ReturnType<typeof setInterval> | undefined;
const listeners = new Set<() => void>();

function tick(): void {
  nowMs = Date.now();
  for (const listener of listeners) listener();
}

/** Subscribes to the clock that all times of a page share. It runs while there are any. */
function subscribe(listener: () => void): () => void {
  if (listeners.size === 0) {
    nowMs = Date.now();
    timer = setInterval(tick, TICK_MS);
  }
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) clearInterval(timer);
  };
}

/** Shows a time in relative words, and exactly, to the second. */
export function Time({ at }: { at: Timestamp | undefined }) {
  const now = useSyncExternalStore(subscribe, () => nowMs);
  if (!at) return null;
  const date = timestampDate(at);
  return (
    <time dateTime={date.toISOString()}>
      {relativeTime(date.getTime(), now)} <span className="exact-time">{exact.format(date)}</span>
    </time>
  );
}

/**
 * Formats a time as "3 minutes ago", or as "just now" within a minute. Future times are "just now" too, since the
 * server's clock may be ahead of this one.
 */
function relativeTime(atMs: number, nowMs: number): string {
  const distanceMs = Math.min(atMs - nowMs, 0);
  const [unit, unitMs] = UNITS.find(([, length]) => Math.abs(distanceMs) >= length) ?? [];
  return unit ? relative.format(Math.trunc(distanceMs / unitMs), unit) : "just now";
}
