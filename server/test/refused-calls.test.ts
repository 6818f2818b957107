/** What a refused call leaves on its connection: nothing. */
import { expect, test } from "vitest";
import { startServer } from "./harness.ts";
import { liveBytes, openRefused, REFUSALS, timers } from "./refused-calls.ts";

test.each(REFUSALS)("thousands of calls answered $status on one connection leave nothing on it", async (refusal) => {
  const warnings: Error[] = [];
  const onWarning = (warning: Error) => warnings.push(warning);
  process.on("warning", onWarning);
  await using server = await startServer({ logger: undefined });
  const connection = await openRefused(server, refusal);
  await connection.calls(200);
  const timersBefore = timers();
  const bytesBefore = liveBytes();
  const firstMs = await connection.calls(500);
  await connection.calls(500);
  const lastMs = await connection.calls(500);
  // The timers of a call are its own: of 1,500 calls, none may be left.
  expect(timers() - timersBefore).toBeLessThan(10);
  // Less than 700 bytes for each; what leaks of a request has kilobytes.
  expect(liveBytes() - bytesBefore).toBeLessThan(1024 ** 2);
  expect(lastMs).toBeLessThan(firstMs * 4);
  expect(connection.connections()).toBe(1);
  expect(warnings).toEqual([]);
  connection.close();
  process.off("warning", onWarning);
});
