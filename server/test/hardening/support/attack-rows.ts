/** Rows of docs/attacks.md, by their tables. Each is measured while somebody else makes calls. */
import { join } from "node:path";
import { testCertificate } from "@rollcall/testing/matrix";
import { root } from "@rollcall/testing/root";
import {
  type Attack,
  bombs,
  emptyMessages,
  endlessUpload,
  halfOpenUploads,
  hugeClaims,
  idleSockets,
  oneCaller,
  tinyChunks,
  unreadAnswers,
  unreadStreams,
  webSocketFrames,
} from "./byte-attacks.ts";
import { type ControlFlood, controlFlood, dribble } from "./control-floods.ts";
import { headerChurn, hpackBomb, madeYouReset, rapidReset, smallFrames } from "./http2-attacks.ts";
import type { MeasuredServerOptions } from "./measured-server.ts";
import { slowAttacks, slowTlsHandshake } from "./slow-attacks.ts";
import { sendTexts, textAttacks } from "./text-attacks.ts";

export interface AttackRow {
  /** First cell of the row. */
  readonly name: string;
  readonly attack: Attack;
  /** Options of the server, in addition to the defaults. */
  readonly options?: MeasuredServerOptions;
  /** Number of users in the directory. Default 100. */
  readonly users?: number;
  /** Longest duration of the attack in milliseconds, if it is not the usual one. */
  readonly durationMs?: number;
}

const MIB = 1024 ** 2;
/** Time in milliseconds, longer than the server waits for clients that hold bytes and make no progress. */
const HOLD_MS = 10_000;

const control =
  (kind: ControlFlood, reads: boolean): Attack =>
  (server, durationMs) =>
    controlFlood(server.port, { kind, reads, durationMs, headers: { ...server.headers } });

const floods = (
  [
    ["SETTINGS", "SETTINGS"],
    ["PING", "PING"],
    ["empty DATA", "empty DATA"],
    ["CONTINUATION (CVE-2024-28182)", "CONTINUATION"],
    ["empty CONTINUATION", "empty CONTINUATION"],
    ["PRIORITY", "PRIORITY"],
    ["unknown frames", "unknown"],
    ["WINDOW_UPDATE", "WINDOW_UPDATE"],
  ] as const
).flatMap(([name, kind]): AttackRow[] => [
  { name: `${name}, read`, attack: control(kind, true) },
  { name: `${name}, unread`, attack: control(kind, false) },
]);

const frameRows: readonly AttackRow[] = [
  { name: "rapid reset (CVE-2023-44487)", attack: ({ port }, durationMs) => rapidReset(port, durationMs) },
  { name: "made you reset (CVE-2025-8671)", attack: ({ port }, durationMs) => madeYouReset(port, durationMs) },
  ...floods,
  {
    name: "WINDOW_UPDATE on 100 connections, made anew when they are closed",
    async attack(server, durationMs) {
      const [result] = await Promise.all(
        Array.from({ length: 100 }, () => control("WINDOW_UPDATE", true)(server, durationMs)),
      );
      return result ?? { cut: 0, requests: 0, firstCutMs: undefined };
    },
  },
  {
    name: "windows of a byte, opened byte by byte (CVE-2019-9511)",
    attack: ({ port, headers }, durationMs) => dribble(port, { durationMs, headers: { ...headers }, streams: 50 }),
  },
  { name: "HPACK bomb: headers by reference", attack: ({ port }, durationMs) => hpackBomb(port, durationMs) },
  { name: "headers of 12 kB, each another", attack: ({ port }, durationMs) => headerChurn(port, durationMs) },
  {
    name: "bodies in frames of a byte",
    attack: ({ port, headers }, durationMs) =>
      smallFrames(port, durationMs, { frameBytes: 1, streams: 6, headers: { ...headers } }),
  },
];

const byteRows: readonly AttackRow[] = [
  {
    name: "windows of nothing: answers that nobody reads",
    ...{ attack: unreadAnswers, users: 1_000, durationMs: HOLD_MS },
  },
  { name: "half-open streams: uploads that never end", attack: halfOpenUploads, durationMs: HOLD_MS },
  { name: "endless upload", attack: endlessUpload, options: { streams: { maxUploadBytes: 64 * MIB } } },
  { name: "five bytes that claim 4 GiB", attack: hugeClaims },
  ...(["gzip", "br", "zstd"] as const).flatMap((coding): AttackRow[] => [
    { name: `${coding} bombs of 64 MiB`, attack: bombs({ coding, streams: 64, messages: 1, bytes: 64 * MIB }) },
    { name: `${coding} bombs of 4 MiB, 64 streams at once`, attack: bombs({ coding, streams: 64, messages: 3 }) },
  ]),
  { name: "one byte at a time over HTTP/1.1", attack: tinyChunks },
  { name: "messages without content, by the million", attack: emptyMessages },
  { name: "slowloris in the TLS handshake", attack: slowTlsHandshake, options: { tls: testCertificate } },
  ...Object.entries(slowAttacks).map(([name, attack]) => ({ name, attack })),
  {
    name: "slowloris in an answer",
    attack: unreadStreams,
    // This attack reads the log, so the log is kept.
    options: { streams: { resultCount: 1e6, resultIntervalMs: 0 }, dropsLog: false },
  },
  { name: "5,000 idle sockets", attack: idleSockets },
  {
    name: "calls by the thousand of one caller",
    ...{ attack: oneCaller, options: { rateLimit: { perSecond: 1_000, burst: 1_000 } } },
  },
  { name: "WebSocket PINGs, unread", attack: webSocketFrames(Buffer.of(0x89, 0x80, 0, 0, 0, 0)) },
  { name: "empty WebSocket frames", attack: webSocketFrames(Buffer.of(0x82, 0x80 | 1, 0, 0, 0, 0, 0)) },
];

const textRows: readonly AttackRow[] = Object.entries(textAttacks).map(([name, texts]) => ({
  name,
  attack: (server, durationMs) => sendTexts(server, durationMs, texts),
  ...(name.startsWith("files") && { options: { webRoot: join(root, "web") } }),
}));

/** Rows by the headings of their tables. */
export const attackRows: Readonly<Record<string, readonly AttackRow[]>> = {
  "Frames and connections": frameRows,
  "Bytes and time": byteRows,
  Words: textRows,
};
