import { createCertificateAuthority } from "@rollcall/testing/certificates";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createLogger } from "../../telemetry/logger.ts";
import { watchCertificateDates } from "./certificate-dates.ts";

const DAY_MS = 24 * 60 * 60 * 1_000;
const START_MS = Date.UTC(2026, 0, 1);
const authority = await createCertificateAuthority("Test CA");
const issue = (lifeDays: number) =>
  authority.issue({
    commonName: "Server",
    notBefore: new Date(START_MS),
    notAfter: new Date(START_MS + lifeDays * DAY_MS),
  });
const [long, short] = [await issue(90), await issue(4)];

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Watches from a day on, and returns the lines for each day that passes. */
function watch(certs: string, day: number, clientCa?: string) {
  const log: Record<string, unknown>[] = [];
  const beganAtMs = Date.now();
  const dates = watchCertificateDates({
    tls: { cert: certs, key: "", clientCa },
    logger: createLogger("info", { write: (line) => log.push(JSON.parse(line)) }),
    now: () => START_MS + day * DAY_MS + (Date.now() - beganAtMs),
  });
  dates.start();
  return {
    dates,
    lines: () => log.splice(0).map(({ level, msg, of, certificates }) => ({ level, msg, of, certificates })),
    days: (count: number) => vi.advanceTimersByTime(count * DAY_MS),
  };
}

const server = { of: "server", certificates: [1] };

test("warnings about a certificate come at the start and daily, from 14 days before its end", () => {
  const { lines, days, dates } = watch(long.cert, 75.5);
  expect(lines()).toEqual([]);
  days(1);
  expect(lines()).toEqual([{ level: "warn", msg: "certificate expires soon", ...server }]);
  days(14);
  expect(lines()).toHaveLength(14);
  days(1);
  expect(lines()).toEqual([{ level: "error", msg: "certificate has expired", ...server }]);
  expect(vi.getTimerCount()).toBe(1);
  dates.stop();
  expect(vi.getTimerCount()).toBe(0);
});

test("warnings about a certificate that lives for days come in its last quarter", () => {
  const { lines, days } = watch(short.cert, 2.5);
  expect(lines()).toEqual([]);
  days(1);
  expect(lines()).toEqual([{ level: "warn", msg: "certificate expires soon", ...server }]);
});

test("a certificate that is not valid yet causes a warning", () => {
  const { lines } = watch(long.cert, -1);
  expect(lines()).toEqual([{ level: "error", msg: "certificate is not valid yet", ...server }]);
});

test("the rest of the chain and the client authorities are checked too, with one line for each kind", () => {
  const bundle = `${long.cert}\n${short.cert}\n`.repeat(10);
  const { lines } = watch(`${long.cert}\n${short.cert}`, 10, bundle);
  expect(lines()).toEqual([
    { level: "error", msg: "certificate has expired", of: "server", certificates: [2] },
    {
      level: "error",
      msg: "certificate has expired",
      of: "clientCa",
      certificates: [2, 4, 6, 8, 10, 12, 14, 16, 18, 20],
    },
  ]);
});
