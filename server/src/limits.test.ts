import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Setting } from "@rollcall/shared/settings/reader";
import { tableBelow } from "@rollcall/testing/docs-table";
import { describe, expect, test } from "vitest";
import {
  defaultAdmissionLimits as admission,
  CALL_BYTES,
  CALL_STALL_TIMEOUT_MS,
  defaultConnectionLimits as connections,
  DEFAULT_PAGE_SIZE,
  defaultOpenStreamLimits,
  FREE_HEADER_BYTES,
  KEPT_MESSAGES_FACTOR,
  keySetLimits,
  MAX_DROPPED_BYTES,
  MAX_ERROR_DETAILS_BYTES,
  MAX_ERROR_MESSAGE_BYTES,
  MAX_FILTER_WORDS,
  MAX_HEALTH_CHECKS,
  MAX_HELD_CHANGES,
  MAX_INLINE_CODING_BYTES,
  MAX_LINGER_MS,
  MAX_PAGE_SIZE,
  MAX_PROBE_MESSAGE_BYTES,
  MAX_RATE_LIMITED_KEYS,
  MAX_REFUSED_REST_BYTES,
  MAX_REFUSED_REST_MS,
  MAX_SEARCHES_AT_ONCE,
  MAX_TIMES_OVER_BUDGET,
  MAX_TOTAL_SIZE,
  MAX_USER_MESSAGE_BYTES,
  MAX_WATCHER_LAG,
  OVER_SHARE_STALL_TIMEOUT_MS,
  PING_STRIKES,
  defaultRequestTimeouts as requests,
  STREAM_RESETS,
  STREAMS_PER_CALL,
  settings,
  TINY_PIECE_BYTES,
  defaultGrpcWebSocketsLimits as webSockets,
} from "./limits.ts";

/** Formats a number with the largest unit that leaves it whole. */
function inUnits(value: number, units: readonly (readonly [name: string, factor: number])[]): string {
  const [name, factor] = units.find(([, factor]) => value >= factor && value % factor === 0) ?? ["", 1];
  return `${(value / factor).toLocaleString("en")} ${name}`.trimEnd();
}
const bytes = (value: number) =>
  inUnits(value, [
    ["GiB", 1024 ** 3],
    ["MiB", 1024 ** 2],
    ["KiB", 1024],
  ]);
const time = (ms: number) =>
  inUnits(ms, [
    ["d", 86_400_000],
    ["h", 3_600_000],
    ["min", 60_000],
    ["s", 1_000],
    ["ms", 1],
  ]);
const count = (value: number) => inUnits(value, []);

/** Formats a setting's default as the docs write it. */
function written(name: string, { byDefault }: Setting): string {
  if (name.endsWith("Bytes")) return bytes(byDefault);
  return (name.endsWith("Ms") || name === "changesRetention") && byDefault > 0 ? time(byDefault) : String(byDefault);
}

const defaults = new Map(
  tableBelow("configuration.md", "Settings").flatMap(([names = "", values = ""]) => {
    const texts = values.replaceAll("`", "").split(", ");
    return names
      .replaceAll("`", "")
      .split(", ")
      .map((name, index) => [name, texts[index] ?? texts[0]] as const);
  }),
);

test.each(Object.entries<Setting>(settings))(
  "the docs have the default of %s, which is within its bounds",
  (name, setting) => {
    expect(defaults.get(name.replace(/[A-Z]/g, "_$&").toUpperCase())).toBe(written(name, setting));
    expect(setting.byDefault).toBeGreaterThanOrEqual(setting.min);
    expect(setting.byDefault).toBeLessThanOrEqual(setting.max);
  },
);

test("the contract has the sizes of pages", () => {
  const contract = readFileSync(join(import.meta.dirname, "../../proto/user/v1/user.proto"), "utf8");
  const [pageSize] = /[^;{}]*int32 page_size[^;]*/.exec(contract) ?? [];
  expect(pageSize).toContain(`${DEFAULT_PAGE_SIZE} when 0`);
  expect(pageSize).toContain(`lte: ${MAX_PAGE_SIZE}\n`);
});

/**
 * Numbers that the table of limits in the docs must show, by row and in order: those of the first two cells, then those
 * with a unit.
 */
const numbers: Readonly<Record<string, readonly string[]>> = {
  "unary calls in flight": [],
  "streams in flight": [count(STREAMS_PER_CALL)],
  "streams of health and reflection without a token": [
    count(defaultOpenStreamLimits.perConnection),
    count(defaultOpenStreamLimits.perAddress),
    count(defaultOpenStreamLimits.total),
  ],
  "a stream of reflection": [
    time(defaultOpenStreamLimits.reflectionIdleMs),
    `${count(defaultOpenStreamLimits.reflectionRequests)} requests`,
  ],
  "health checks in flight": [count(MAX_HEALTH_CHECKS)],
  "calls of a principal": [count(MAX_RATE_LIMITED_KEYS)],
  "wait for a call's start": [time(admission.maxBurstWaitMs), time(admission.maxStandingWaitMs)],
  "streams of a principal": ["2 s"],
  "delay of the event loop": [time(admission.maxLoopDelayMs)],
  connections: [count(connections.maxConnections)],
  "connections from one address": [],
  "streams, or requests, at once on one connection": [count(connections.maxConcurrentStreams)],
  "bytes held": [
    bytes(CALL_BYTES),
    bytes(connections.maxConnectionBytes),
    bytes(connections.maxHeldBytes),
    time(CALL_STALL_TIMEOUT_MS),
    time(OVER_SHARE_STALL_TIMEOUT_MS),
  ],
  "bytes held unread on one connection": [bytes(MAX_TIMES_OVER_BUDGET * connections.maxConnectionBytes)],
  "pieces of a body": [`${TINY_PIECE_BYTES} bytes`, ...Object.values(connections.tinyPieces).map(count)],
  "resets ahead of a first accepted call": Object.values(connections.strangerResets).map(count),
  "resets on any connection": Object.values(STREAM_RESETS).map(count),
  "PINGs with nothing else in between": [time(connections.minPingIntervalMs), count(PING_STRIKES)],
  "control frames over HTTP/2": Object.values(connections.controlBytes).map(bytes),
  "headers ahead of a first accepted call": [
    ...Object.values(connections.strangerHeaderBytes).map(bytes),
    bytes(FREE_HEADER_BYTES),
  ],
  "headers of a request": [bytes(connections.maxHeaderBytes)],
  "a message": [bytes(MAX_USER_MESSAGE_BYTES), bytes(MAX_PROBE_MESSAGE_BYTES)],
  "an upload": [],
  "an error over gRPC": [bytes(MAX_ERROR_MESSAGE_BYTES), bytes(MAX_ERROR_DETAILS_BYTES)],
  "handshake, first request, a header": [time(connections.handshakeTimeoutMs)],
  "headers of a call over a WebSocket": [bytes(webSockets.maxHeaderBytes), time(webSockets.headerTimeoutMs)],
  "a WebSocket whose client answers no ping": [time(webSockets.pingIntervalMs)],
  "body of a unary call": [time(requests.bodyTimeoutMs)],
  "body of a unary call, while others are refused": [time(admission.patienceMs)],
  "between two parts of an upload": [time(requests.stallTimeoutMs), count((2 * requests.stallTimeoutMs) / 60_000)],
  "a connection without calls": [time(connections.idleTimeoutMs)],
  "age of a connection": [],
  "rest of a request that was answered": [
    time(requests.bodyTimeoutMs),
    bytes(MAX_DROPPED_BYTES),
    time(MAX_REFUSED_REST_MS),
    bytes(MAX_REFUSED_REST_BYTES),
    time(MAX_LINGER_MS),
    bytes(MAX_DROPPED_BYTES),
  ],
  "last messages of streams": [
    bytes(KEPT_MESSAGES_FACTOR * connections.maxConnectionBytes),
    bytes(connections.maxHeldBytes),
  ],
  "key set of the identity provider": [
    bytes(keySetLimits.maxBytes),
    `${keySetLimits.maxKeys} keys`,
    time(keySetLimits.fetchTimeoutMs),
    `${keySetLimits.maxRedirects} redirects`,
  ],
  "compressed messages": [bytes(MAX_INLINE_CODING_BYTES)],
  "searches through many users": [count(MAX_SEARCHES_AT_ONCE)],
  "changes that a watcher is behind": [count(MAX_WATCHER_LAG), count(MAX_HELD_CHANGES)],
  "words of a filter that differ": [count(MAX_FILTER_WORDS)],
  "`total_size` of a list": [count(MAX_TOTAL_SIZE)],
};

const UNIT = "(?: (?:KiB|MiB|GiB|bytes|ms|s|min|h|keys|redirects|requests))";
const numbersIn = (text: string, unit: string) =>
  text.replaceAll(/HTTP\/[\d.]+|`[^`]*`/g, "").match(new RegExp(`\\b\\d[\\d,]*${unit}\\b`, "g")) ?? [];

describe("the documented table of limits", () => {
  const rows = tableBelow("operations.md", "Limits");

  test("has each limit once", () => {
    expect(rows.map(([limit = ""]) => limit)).toEqual(
      Object.keys(numbers).map((limit) => expect.stringMatching(new RegExp(`^${limit}`))),
    );
  });

  test.each(Object.entries(numbers))("has the numbers of: %s", (limit, expected) => {
    const [name = "", value = "", beyond = ""] = rows[Object.keys(numbers).indexOf(limit)] ?? [];
    expect([...numbersIn(`${name}; ${value}`, `${UNIT}?`), ...numbersIn(beyond, UNIT)]).toEqual(expected);
  });
});
