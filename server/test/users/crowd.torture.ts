/**
 * Cost of many watchers, and the effect of a slow watcher on the others. Server and watchers run in processes of their
 * own.
 */

import { Code, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { UserService } from "@rollcall/gen/user/v1/user";
import { expect, test } from "vitest";
import { startMeasuredServer } from "../hardening/support/measured-server.ts";
import { CROWD_USERS, Crowd } from "./support/crowd.ts";
import { SlowWatcher } from "./support/slow-watcher.ts";

const seconds = Number(process.env.CROWD_SECONDS ?? 20);
const CHANGES_PER_SECOND = 100;

test.each([
  [1_000, 100],
  [10_000, 10],
  [10_000, 100],
])("each of %i watchers keeps pace with %i changes a second", async (watchers, changesPerSecond) => {
  await using server = await startMeasuredServer({ dropsLog: true });
  const emptyBytes = await server.memoryBytes();
  const emptyResident = await server.residentBytes();
  await using crowd = await Crowd.start(server, watchers);
  const idle = {
    bytesAWatcher: Math.round(((await server.memoryBytes()) - emptyBytes) / watchers),
    residentAWatcher: Math.round(((await server.residentBytes()) - emptyResident) / watchers),
  };
  const figures = await crowd.follow(changesPerSecond, seconds);
  const busyBytesAWatcher = Math.round(((await server.memoryBytes()) - emptyBytes) / watchers);
  console.info("crowd", { watchers, changesPerSecond, ...idle, busyBytesAWatcher, ...figures });
  expect(figures).toMatchObject({ events: figures.expected, ended: 0, encodingsAChange: 1 });
});

test("a slow watcher among 1,000 is ended with resource_exhausted and can go on; the others' delay stays", async () => {
  await using server = await startMeasuredServer({ dropsLog: true });
  await using crowd = await Crowd.start(server, 1_000);
  // Fewer changes would fit into its stream and the bound.
  const longEnough = Math.max(seconds, 10);
  const follow = () => crowd.follow(CHANGES_PER_SECOND, longEnough);
  const alone = await follow();
  await using slow = await SlowWatcher.start(server.port, server.headers);
  const beside = await follow();
  const again = await follow();
  console.info("slow watcher", { alone, beside, again });
  for (const figures of [alone, beside, again]) expect(figures).toMatchObject({ events: figures.expected, ended: 0 });
  expect(beside.p99Ms).toBeLessThan(3 * Math.max(alone.p99Ms, again.p99Ms));
  expect(await slow.readRest()).toBe(Code.ResourceExhausted);
  const { token, changes: seen } = slow.seen();
  const users = createClient(UserService, createGrpcTransport({ baseUrl: server.url }));
  let missed = 0;
  for await (const { event } of users.watchUsers({ resumeToken: token }, { headers: server.headers })) {
    if (event.case === "synced") break;
    missed += 1;
  }
  // Each round first creates users. The slow watcher saw a part of all changes, and can still get the rest.
  expect(seen + missed).toBe(beside.changes + again.changes + 2 * CROWD_USERS);
});
