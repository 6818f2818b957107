import { setTimeout as delay } from "node:timers/promises";
import { residentBytesOf } from "./process-stats.ts";
import type { Target } from "./target.ts";

/** Makes Node.js listen for a debugger, on any free port. */
export const INSPECT_ARGS = ["--inspect=127.0.0.1:0"];

/** A process is settled when its memory has changed by no more than this between two looks. */
const SETTLED_BYTES = 256 * 1_024;
const LOOK_INTERVAL_MS = 200;
const MAX_LOOKS = 50;

/**
 * Reads what memory a contestant keeps: its resident set after garbage collections, when that no longer shrinks.
 *
 * @param target Started with `INSPECT_ARGS`.
 * @returns Bytes; undefined where there is no /proc.
 */
export async function settledBytes(target: Target): Promise<number | undefined> {
  let before = Number.POSITIVE_INFINITY;
  for (let look = 0; look < MAX_LOOKS; look++) {
    await collectGarbage(target);
    await delay(LOOK_INTERVAL_MS);
    const bytes = residentBytesOf(target.pid);
    if (bytes === undefined || Math.abs(before - bytes) <= SETTLED_BYTES) return bytes;
    before = bytes;
  }
  return before;
}

/** Collects all garbage of another Node.js process, by its debugger's protocol. */
function collectGarbage(target: Target): Promise<void> {
  const [url] = /ws:\/\/127\.0\.0\.1:\S+/.exec(target.errorOutput()) ?? [];
  if (url === undefined) throw new Error(`${target.contestant.name} does not listen for a debugger`);
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url);
    socket.onopen = () => socket.send(JSON.stringify({ id: 1, method: "HeapProfiler.collectGarbage" }));
    socket.onerror = () => reject(new Error(`the debugger of ${target.contestant.name} can't be reached`));
    socket.onmessage = () => {
      socket.close();
      resolve();
    };
  });
}
