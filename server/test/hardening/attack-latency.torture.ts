import { describe, expect, test } from "vitest";
import { type Latency, startBystander } from "./support/bystander.ts";
import {
  type AttackResult,
  headerChurn,
  hpackBomb,
  madeYouReset,
  rapidReset,
  smallFrames,
} from "./support/http2-attacks.ts";
import { startMeasuredServer } from "./support/measured-server.ts";

const DURATION_MS = 3_000;
const unbounded = { burst: 1e12, perSecond: 0 };
const lifted = { tinyPieces: unbounded, strangerResets: unbounded, strangerHeaderBytes: unbounded };

type Attack = (port: number, headers: { authorization: string }) => Promise<AttackResult>;

/** Measures the duration of other callers' calls while a server is attacked, and the memory that the attack costs. */
async function measure(limits: object, attack: Attack | undefined): Promise<Latency & { grownMiB: number }> {
  await using server = await startMeasuredServer({ limits });
  const before = await server.memoryBytes();
  const bystander = await startBystander(server.url, server.headers);
  const startedAtMs = performance.now();
  do {
    if (attack) await attack(server.port, server.headers);
    else await new Promise((resolve) => setTimeout(resolve, DURATION_MS));
  } while (performance.now() - startedAtMs < DURATION_MS);
  const latency = await bystander.stop();
  return { ...latency, grownMiB: Math.round(((await server.peakBytes()) - before) / 1024 ** 2) };
}

describe.each<[string, Attack]>([
  ["rapid reset", (port) => rapidReset(port, DURATION_MS)],
  ["made you reset", (port) => madeYouReset(port, DURATION_MS)],
  ["headers of 12 kB", (port) => headerChurn(port, DURATION_MS)],
  ["headers by reference", (port) => hpackBomb(port, DURATION_MS)],
  [
    "frames of one byte with a token",
    (port, headers) => smallFrames(port, DURATION_MS, { frameBytes: 1, streams: 6, headers: { ...headers } }),
  ],
])("%s", (name, attack) => {
  test("leaves others as quick as without the limits, or quicker, and fails none of their calls", async () => {
    const quiet = await measure({}, undefined);
    const guarded = await measure({}, attack);
    const open = await measure(lifted, attack);
    console.log(name, JSON.stringify({ quiet, guarded, open }));
    expect(guarded.failures).toBe(0);
    // The factor leaves room for a machine that also does other work.
    expect(guarded.p99Ms).toBeLessThan(Math.max(open.p99Ms, 3 * quiet.p99Ms));
  }, 60_000);
});
