/** Floods of frames that are no requests, and windows of a byte. `attack-floods.torture.ts` measures them. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startBystander } from "./support/bystander.ts";
import { controlFlood, cutFloods, dribble } from "./support/control-floods.ts";
import { type MeasuredServer, startMeasuredServer } from "./support/measured-server.ts";

const MAX_GROWTH_BYTES = 64 * 1024 ** 2;
const lifted = { burst: 1e12, perSecond: 0 };

let server: MeasuredServer;
beforeAll(async () => {
  server = await startMeasuredServer();
  await server.createUsers(100);
});
afterAll(() => server[Symbol.asyncDispose]());

/** Runs an attack beside somebody else's calls, none of which may fail, and bounds what the server takes for it. */
async function beside<T>(attack: () => Promise<T>): Promise<T> {
  const before = await server.memoryBytes();
  await server.peakBytes();
  const bystander = await startBystander(server.url, server.headers);
  const result = await attack();
  expect(await bystander.stop()).toMatchObject({ failures: 0 });
  expect((await server.peakBytes()) - before).toBeLessThan(MAX_GROWTH_BYTES);
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

  // Node.js tells a server nothing of these frames. They hold no memory, and cost what their bytes do.
  test("WINDOW_UPDATE holds nothing and fails nobody; nothing ends it", async () => {
    const flood = { kind: "WINDOW_UPDATE" as const, reads, durationMs: 300, headers: {} };
    expect(await beside(() => controlFlood(server.port, flood))).toMatchObject({ cut: 0 });
  });
});

test("empty DATA goes on where tiny pieces have no limit", async () => {
  await using open = await startMeasuredServer({ limits: { tinyPieces: lifted } });
  const flood = { kind: "empty DATA" as const, reads: true, durationMs: 300, headers: { ...open.headers } };
  await controlFlood(open.port, flood);
  expect(await open.logged("connections ended: abuse")).toEqual([]);
  await controlFlood(server.port, { ...flood, headers: { ...server.headers }, untilCut: true });
  expect(await server.logged("connections ended: abuse")).not.toEqual([]);
});

test("answers that are taken byte by byte hold their budget and fail nobody", async () => {
  await beside(() => dribble(server.port, { durationMs: 300, headers: { ...server.headers }, streams: 50 }));
});
