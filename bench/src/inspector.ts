import { setTimeout as delay } from "node:timers/promises";
import { residentBytesOf } from "./process-stats.ts";
import type { CpuProfile } from "./profile/cpu-profile.ts";
import type { Target } from "./target.ts";

/** Makes Node.js listen for a debugger on any free port. */
export const INSPECT_ARGS = ["--inspect=127.0.0.1:0"];

/** Largest change of a process's memory between two readings at which it counts as settled, in bytes. */
const SETTLED_BYTES = 256 * 1_024;
const LOOK_INTERVAL_MS = 200;
const MAX_LOOKS = 50;
const SAMPLING_INTERVAL_MICROS = 500;

/**
 * Measures the memory that a contestant keeps: its resident set after garbage collections, when it no longer shrinks.
 *
 * @param target Started with `INSPECT_ARGS`.
 * @returns Bytes; undefined without a /proc.
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

/** Collects all garbage of another Node.js process. */
async function collectGarbage(target: Target): Promise<void> {
  using debug = await openDebugger(target);
  await debug.send("HeapProfiler.collectGarbage");
}

/**
 * Profiles a contestant while something runs.
 *
 * @param target Started with `INSPECT_ARGS`.
 */
export async function recordProfile<T>(
  target: Target,
  run: () => Promise<T>,
): Promise<{ result: T; profile: CpuProfile }> {
  using debug = await openDebugger(target);
  await debug.send("Profiler.enable");
  await debug.send("Profiler.setSamplingInterval", { interval: SAMPLING_INTERVAL_MICROS });
  await debug.send("Profiler.start");
  const result = await run();
  const { profile } = (await debug.send("Profiler.stop")) as { profile: CpuProfile };
  return { result, profile };
}

/** A debugger's connection to another Node.js process. */
interface Debugger extends Disposable {
  /** Sends a command, and returns its result. @throws Error when the process refuses it, or has ended. */
  send(method: string, params?: object): Promise<unknown>;
}

interface Reply {
  readonly id?: number;
  readonly result?: unknown;
  readonly error?: { readonly message: string };
}

async function openDebugger(target: Target): Promise<Debugger> {
  const { name } = target.contestant;
  const [url] = /ws:\/\/127\.0\.0\.1:\S+/.exec(target.errorOutput()) ?? [];
  if (url === undefined) throw new Error(`${name} does not listen for a debugger`);
  const socket = new WebSocket(url);
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = () => reject(new Error(`the debugger of ${name} can't be reached`));
  });
  let lastId = 0;
  return {
    send(method, params = {}) {
      const id = ++lastId;
      socket.send(JSON.stringify({ id, method, params }));
      return new Promise((resolve, reject) => {
        socket.onclose = () => reject(new Error(`the debugger of ${name} has gone`));
        socket.onmessage = ({ data }) => {
          const reply = JSON.parse(String(data)) as Reply;
          if (reply.id !== id) return;
          if (reply.error) reject(new Error(`${method}: ${reply.error.message}`));
          else resolve(reply.result);
        };
      });
    },
    [Symbol.dispose]: () => socket.close(),
  };
}
