import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { ProbeService, withProbe } from "@rollcall/testing/probe-service";
import { startServer, type TestServer, until } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";

/**
 * Time that a turn is held, in milliseconds. It is longer than the time between two checks, so each check is later than
 * a busy machine alone would make it.
 */
const BLOCKED_MS = 150;

/** Holds each turn of the event loop, like the messages of many streams. Returns a function that stops it. */
function holdLoop(): () => void {
  let isOver = false;
  const hold = () => {
    const untilMs = performance.now() + BLOCKED_MS;
    while (performance.now() < untilMs);
    if (!isOver) setImmediate(hold);
  };
  hold();
  return () => {
    isOver = true;
  };
}

/** Makes calls from separate connections, one after the other on each. */
async function callSteadily(server: TestServer, signal: AbortSignal) {
  const counts = { answered: 0, refused: 0 };
  const headers = await server.auth();
  const loops = Array.from({ length: 48 }, async () => {
    const client = createClient(ProbeService, createGrpcTransport({ baseUrl: server.url }));
    while (!signal.aborted) {
      try {
        await client.unary({}, { headers });
        counts.answered += 1;
      } catch (error) {
        expect(ConnectError.from(error)).toMatchObject({ code: Code.Unavailable, rawMessage: "server is overloaded" });
        counts.refused += 1;
      }
    }
  });
  return { counts, ended: Promise.all(loops) };
}

test("calls are refused while timers are late for long, and probes are not; afterwards none is", async () => {
  const probe = withProbe({ unary: () => ({}) });
  // Both servers are in this process, so that the same loop is held for them.
  await using server = await startServer({ ...probe, admission: { maxLoopDelayMs: BLOCKED_MS / 3 } });
  await using control = await startServer({ ...probe, admission: { maxLoopDelayMs: Number.POSITIVE_INFINITY } });
  const stop = new AbortController();
  const guarded = await callSteadily(server, stop.signal);
  const unguarded = await callSteadily(control, stop.signal);
  const release = holdLoop();
  await until(() => guarded.counts.refused > 5);
  expect((await fetch(`${server.url}/readyz`)).status).toBe(200);
  expect(guarded.counts.answered).toBeGreaterThan(0);
  expect(unguarded.counts.refused).toBe(0);
  release();
  let refused = -1;
  while (refused !== guarded.counts.refused) {
    refused = guarded.counts.refused;
    const enough = guarded.counts.answered + 300;
    await until(() => guarded.counts.answered > enough);
  }
  stop.abort();
  await Promise.all([guarded.ended, unguarded.ended]);
  expect(server.log.find(({ msg }) => msg === "calls refused")).toMatchObject({ overloaded: expect.any(Number) });
});
