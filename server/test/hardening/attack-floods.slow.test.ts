/** Floods of frames that are not requests, and windows of one byte. `attacks.torture.ts` measures them. */
import { createRollcall } from "@rollcall/client/node";
import { StreamService } from "@rollcall/gen/stream/v1/stream";
import { startServer } from "@rollcall/testing/start-server";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CONTROL_LOOK_INTERVAL_MS } from "../../src/limits.ts";
import { startBystander } from "./support/bystander.ts";
import { controlFlood, cutFloods, dribble } from "./support/control-floods.ts";
import { type MeasuredServer, startMeasuredServer } from "./support/measured-server.ts";

const MAX_GROWTH_BYTES = 64 * 1024 ** 2;
/** Low limit on control frames. A flood sends many times that between two checks. */
const littleControl = { controlBytes: { burst: 64 * 1_024, perSecond: 16 * 1_024 } };
const lifted = { burst: 1e12, perSecond: 0 };

let server: MeasuredServer;
beforeAll(async () => {
  server = await startMeasuredServer();
  await server.createUsers(100);
});
afterAll(() => server[Symbol.asyncDispose]());

/**
 * Runs an attack while somebody else makes calls, none of which may fail. Limits the memory that the server may use for
 * it.
 */
async function beside<T>(attack: () => Promise<T>, attacked = server): Promise<T> {
  const before = await attacked.memoryBytes();
  await attacked.peakBytes();
  const bystander = await startBystander(attacked.url, attacked.headers);
  const result = await attack();
  expect(await bystander.stop()).toMatchObject({ failures: 0 });
  expect((await attacked.peakBytes()) - before).toBeLessThan(MAX_GROWTH_BYTES);
  return result;
}

describe.each([
  ["read", true],
  ["unread", false],
])("a flood of frames whose answers are %s", (_name, reads) => {
  test.each(cutFloods)("%s ends its connection", async (kind) => {
    const flood = { kind, reads, untilCut: true, headers: { ...server.headers } };
    expect(await beside(() => controlFlood(server.port, flood))).toMatchObject({ cut: 1 });
  });

  test("WINDOW_UPDATE ends its connection at the next look, holds nothing before, and then gets no new one", async () => {
    await using strict = await startMeasuredServer({ limits: littleControl });
    const flood = { kind: "WINDOW_UPDATE" as const, reads, untilCut: true, headers: {} };
    expect(await beside(() => controlFlood(strict.port, flood), strict)).toMatchObject({ cut: 1 });
    expect(await strict.logged("connections ended: abuse")).toMatchObject([{ reason: "control frames" }]);
    await expect(fetch(`http://127.0.0.1:${strict.port}/healthz`)).rejects.toThrow();
    expect(await strict.logged("connections refused: one address floods the server")).toHaveLength(1);
    // Another address is still served.
    expect((await fetch(`http://[::1]:${strict.port}/healthz`)).status).toBe(200);
  });
});

test("what clients send for what they get and upload is no flood", async () => {
  await using strict = await startServer({
    limits: littleControl,
    streams: { resultCount: 20_000, resultIntervalMs: 0 },
  });
  await using client = createRollcall({ baseUrl: strict.url, token: await strict.token(), protocol: "grpc" });
  const calls = client.service(StreamService);
  const beganMs = performance.now();
  // The time spans several checks.
  while (performance.now() - beganMs < 6 * CONTROL_LOOK_INTERVAL_MS) {
    let results = 0;
    for await (const _ of calls.serverStream({ query: "q" })) results += 1;
    expect(results).toBe(20_000);
    const chunks = (async function* () {
      for (let i = 0; i < 5_000; i++) yield { chunk: new Uint8Array(8) };
    })();
    expect((await calls.clientStream(chunks)).totalBytes).toBe(40_000n);
  }
  expect(strict.log.filter(({ msg }) => msg === "connections ended: abuse")).toEqual([]);
});

test("empty DATA goes on where tiny pieces have no limit", async () => {
  await using open = await startMeasuredServer({ limits: { tinyPieces: lifted } });
  const flood = { kind: "empty DATA" as const, reads: true, durationMs: 300, headers: { ...open.headers } };
  await controlFlood(open.port, flood);
  expect(await open.logged("connections ended: abuse")).toEqual([]);
  await controlFlood(server.port, { ...flood, headers: { ...server.headers }, untilCut: true });
  expect(await server.logged("connections ended: abuse")).not.toEqual([]);
});

test("answers that are taken byte by byte hold their budget, fail nobody, and end their connection", async () => {
  const attack = { headers: { ...server.headers }, streams: 50 };
  await beside(() => dribble(server.port, { ...attack, durationMs: 300 }));
  await using strict = await startMeasuredServer({ limits: littleControl });
  await strict.createUsers(100);
  const untilCut = { headers: { ...strict.headers }, streams: 50, durationMs: Number.POSITIVE_INFINITY };
  expect(await dribble(strict.port, untilCut)).toMatchObject({ cut: 1 });
});
