/** A hundred thousand refused calls of each kind on one connection, which must not change memory or pace. */

import { startServer } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";
import { liveBytes, openRefused, REFUSALS, timers } from "./support/refused-calls.ts";

test.each(REFUSALS)("100,000 calls answered $status", { timeout: 600_000 }, async (refusal) => {
  await using server = await startServer({ logger: undefined });
  const connection = await openRefused(server, refusal);
  await connection.calls(5_000);
  const timersBefore = timers();
  const bytesBefore = liveBytes();
  const paces: number[] = [];
  for (let i = 0; i < 10; i++) paces.push(await connection.calls(10_000));
  const growth = liveBytes() - bytesBefore;
  console.info({ status: refusal.status, msPer10000: paces.map(Math.round), growthBytes: growth });
  expect(timers() - timersBefore).toBeLessThan(10);
  expect(growth).toBeLessThan(4 * 1024 ** 2);
  expect(Math.max(...paces.slice(5))).toBeLessThan(Math.max(...paces.slice(0, 5)) * 4);
  expect(connection.connections()).toBe(1);
  connection.close();
});
