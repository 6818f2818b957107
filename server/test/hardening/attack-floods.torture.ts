/**
 * Cost of floods over HTTP/2 for others: the 99th percentile of a bystander's calls, as a multiple of that without an attack in
 * the same run, the memory they take at most, and when they are ended. Prints a row of `docs/attacks.md` for each.
 */
import { expect, test } from "vitest";
import { startBystander } from "./support/bystander.ts";
import { controlFlood, cutFloods, dribble } from "./support/control-floods.ts";
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

type Attack = (port: number, headers: Record<string, string>) => Promise<AttackResult | undefined>;

const floods = [...cutFloods, "WINDOW_UPDATE" as const].flatMap((kind) =>
  [true, false].map((reads): [string, Attack] => [
    `${kind}, ${reads ? "read" : "unread"}`,
    (port, headers) => controlFlood(port, { kind, reads, durationMs: DURATION_MS, headers }),
  ]),
);

async function measure(attack: Attack) {
  await using server = await startMeasuredServer();
  await server.createUsers(100);
  const before = await server.memoryBytes();
  await server.peakBytes();
  const bystander = await startBystander(server.url, server.headers);
  const result = await attack(server.port, { ...server.headers });
  const latency = await bystander.stop();
  return { ...latency, peakMiB: Math.round(((await server.peakBytes()) - before) / 1024 ** 2), ...result };
}

const quietly: Attack = async () => {
  await new Promise((resolve) => setTimeout(resolve, DURATION_MS));
  return undefined;
};

test.each<[string, Attack]>([
  ["rapid reset", (port) => rapidReset(port, DURATION_MS)],
  ["made you reset", (port) => madeYouReset(port, DURATION_MS)],
  ["headers of 12 kB", (port) => headerChurn(port, DURATION_MS)],
  ["headers by reference", (port) => hpackBomb(port, DURATION_MS)],
  [
    "bodies in frames of a byte",
    (port, headers) => smallFrames(port, DURATION_MS, { frameBytes: 1, streams: 6, headers }),
  ],
  ...floods,
  [
    "WINDOW_UPDATE, on 100 connections",
    async (port, headers) => {
      const flood = { kind: "WINDOW_UPDATE" as const, reads: true, durationMs: DURATION_MS, headers };
      const [result] = await Promise.all(Array.from({ length: 100 }, () => controlFlood(port, flood)));
      return result;
    },
  ],
  ["windows of a byte", (port, headers) => dribble(port, { durationMs: DURATION_MS, headers, streams: 50 })],
])("%s", async (name, attack) => {
  const quiet = await measure(quietly);
  const attacked = await measure(attack);
  const ratio = (attacked.p99Ms / quiet.p99Ms).toFixed(1);
  const cut = attacked.firstCutMs === undefined ? "not ended" : `${Math.round(attacked.firstCutMs)} ms`;
  console.info(`| ${name} | ${ratio} | ${attacked.peakMiB} MiB | ${cut} |`, JSON.stringify({ quiet, attacked }));
  expect(attacked.failures).toBe(0);
  expect(attacked.peakMiB).toBeLessThan(64);
});
