/**
 * Runs each attack of `attacks.torture.ts` briefly. None may harm a bystander, and each must be ended or refused as
 * expected.
 */
import { join } from "node:path";
import { root } from "@rollcall/testing/root";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { attackRows } from "./support/attack-rows.ts";
import { type Bystander, startBystander } from "./support/bystander.ts";
import { type MeasuredServer, startMeasuredServer } from "./support/measured-server.ts";

const DURATION_MS = 50;
/** Longest time that the server waits for slow clients. */
const WAIT_MS = 2_000;
/** Attacks that other tests of this folder run in a shorter form. */
const ELSEWHERE = /bombs|half-open|windows of nothing|5,000|without content|TLS/;

let server: MeasuredServer;
let bystander: Bystander;
beforeAll(async () => {
  server = await startMeasuredServer({
    limits: { handshakeTimeoutMs: WAIT_MS },
    timeouts: { bodyTimeoutMs: WAIT_MS, stallTimeoutMs: WAIT_MS },
    webSockets: { headerTimeoutMs: WAIT_MS },
    streams: { resultCount: 1e6, resultIntervalMs: 0, maxUploadBytes: 4 * 1024 ** 2 },
    webRoot: join(root, "web"),
  });
  await server.createUsers(100);
  bystander = await startBystander(server.url, server.headers);
});
afterAll(() => server[Symbol.asyncDispose]());

// `attack-floods.slow.test.ts` and others test the attacks by frames.
const { "Bytes and time": bytes = [], Words: words = [] } = attackRows;
const [slow = [], others = []] = [true, false].map((isSlow) =>
  bytes.filter(({ name }) => !ELSEWHERE.test(name) && name.startsWith("slowloris") === isSlow),
);

test.each(words)("$name: each request is refused", async ({ attack }) => {
  const { requests, refused } = await attack(server, DURATION_MS);
  expect(refused).toBe(requests);
});

test.each(others)("$name", async ({ attack }) => {
  const { requests } = await attack(server, DURATION_MS);
  expect(requests).toBeGreaterThan(0);
});

describe.concurrent("connections that are slow are ended", () => {
  test.each(slow)("$name", async ({ attack }) => {
    const { requests, cut } = await attack(server, DURATION_MS);
    expect(cut).toBe(requests);
  });
});

test("a bystander's calls went on meanwhile, and none failed", async () => {
  const { calls, failures } = await bystander.stop();
  expect(calls).toBeGreaterThan(0);
  expect(failures).toBe(0);
});
