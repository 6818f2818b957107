import { HEADERS, RST_STREAM } from "@rollcall/testing/raw/http2";
import { until } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";
import { startBystander } from "./support/bystander.ts";
import { unfinishedUploads, unreadLists } from "./support/http2-attacks.ts";
import { startMeasuredServer } from "./support/measured-server.ts";

const MIB = 1024 ** 2;
const lifted = { maxConnectionBytes: 1e12, maxHeldBytes: 1e12 };

test("256 uploads of one connection that never end hold little beside their budget", { timeout: 120_000 }, async () => {
  const attack = async (limits: object) => {
    await using server = await startMeasuredServer({ limits });
    const before = await server.memoryBytes();
    const { client } = await unfinishedUploads(server.port, { streams: 256, headers: server.headers, quietMs: 1_500 });
    const bytes = (await server.memoryBytes()) - before;
    // The client keeps within its windows, so the memory that it makes the server hold must not count as abuse.
    if (limits !== lifted) expect(client.isClosed).toBe(false);
    client.destroy();
    return bytes;
  };
  const guarded = await attack({});
  // The budget of the uploads is 8 MiB and their windows another 8 MiB. The eldest message has 4 MiB, and the calls
  // themselves take 15 MiB.
  expect(guarded).toBeLessThan(56 * MIB);
  expect(await attack(lifted)).toBeGreaterThan(4 * guarded);
});

test("lists that 24 connections do not read hold their budget, and others are served", {
  timeout: 300_000,
}, async () => {
  const attack = async (limits: object) => {
    await using server = await startMeasuredServer({ limits });
    await server.createUsers(1_000);
    const before = await server.memoryBytes();
    const bystander = await startBystander(server.url, server.headers);
    let most = 0;
    const clients = [];
    for (let i = 0; i < 24; i++) {
      const [client] = await unreadLists(server.port, { connections: 1, streams: 40, headers: server.headers });
      if (!client) throw new Error("no connection");
      clients.push(client);
      // All calls get an answer or a reset before the next connection opens, so that few are refused because of their
      // number.
      await until(() => {
        const answered = client.received.filter(({ type }) => type === HEADERS || type === RST_STREAM);
        return client.isClosed || new Set(answered.map(({ streamId }) => streamId)).size === 40;
      });
      most = Math.max(most, (await server.memoryBytes()) - before);
    }
    const { failures, calls } = await bystander.stop();
    for (const client of clients) client.destroy();
    return { most, failedShare: failures / calls };
  };
  const guarded = await attack({ maxHeldBytes: 48 * MIB });
  const open = await attack(lifted);
  expect(guarded.failedShare).toBeLessThan(0.02);
  expect(guarded.most).toBeLessThan(2 * 48 * MIB);
  expect(open.most).toBeGreaterThan(1.5 * guarded.most);
});
