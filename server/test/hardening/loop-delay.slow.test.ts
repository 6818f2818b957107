import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { ProbeService, withProbe } from "@rollcall/testing/probe-service";
import { startServer, type TestServer, until } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";

/** Time that a turn of the event loop is held, in milliseconds. */
const BLOCKED_MS = 400;
/** Delay that is too long: far from what a busy machine causes, and from what is left of a held turn. */
const MAX_DELAY_MS = BLOCKED_MS / 2;
const CALLERS = 48;

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

/** Starts a server that only {@link MAX_DELAY_MS} makes refuse calls: none waits in line. */
function start(maxLoopDelayMs: number) {
  const limits = { maxLoopDelayMs, window: Number.POSITIVE_INFINITY, maxTurnMs: Number.POSITIVE_INFINITY };
  return startServer({ ...withProbe({ unary: () => ({}) }), admission: limits });
}

/** A caller with a connection of its own, and what became of its calls. */
async function connect(server: TestServer) {
  const client = createClient(ProbeService, createGrpcTransport({ baseUrl: server.url }));
  const headers = await server.auth();
  const counts = { answered: 0, refused: 0 };
  const call = async () => {
    try {
      await client.unary({}, { headers });
      counts.answered += 1;
      return true;
    } catch (error) {
      expect(ConnectError.from(error)).toMatchObject({ code: Code.Unavailable, rawMessage: "server is overloaded" });
      counts.refused += 1;
      return false;
    }
  };
  // Connects before the loop is held: each of its turns accepts a single connection.
  expect(await call()).toBe(true);
  return { counts, call };
}

/** Makes calls on many connections, one after the other on each. */
async function callSteadily(server: TestServer, signal: AbortSignal) {
  const callers = await Promise.all(Array.from({ length: CALLERS }, () => connect(server)));
  const loops = callers.map(async ({ call }) => {
    while (!signal.aborted) await call();
  });
  const sum = (of: "answered" | "refused") => callers.reduce((total, { counts }) => total + counts[of], 0);
  return { answered: () => sum("answered"), refused: () => sum("refused"), ended: Promise.all(loops) };
}

test("calls are refused while timers are late for long, and probes are not; afterwards none is", async () => {
  // Both servers are in this process, so that the same loop is held for them.
  await using server = await start(MAX_DELAY_MS);
  await using control = await start(Number.POSITIVE_INFINITY);
  const { call } = await connect(server);
  const stop = new AbortController();
  const guarded = await callSteadily(server, stop.signal);
  const unguarded = await callSteadily(control, stop.signal);
  const answered = guarded.answered();
  const release = holdLoop();
  await until(() => guarded.refused() > 5);
  expect((await fetch(`${server.url}/readyz`)).status).toBe(200);
  expect(guarded.answered()).toBeGreaterThan(answered);
  expect(unguarded.refused()).toBe(0);
  stop.abort();
  release();
  await Promise.all([guarded.ended, unguarded.ended]);
  // Under overload, one call after the other would soon be one too many.
  for (let inARow = 0; inARow < 300; ) inARow = (await call()) ? inARow + 1 : 0;
  expect(server.log.find(({ msg }) => msg === "calls refused")).toMatchObject({ overloaded: expect.any(Number) });
});
