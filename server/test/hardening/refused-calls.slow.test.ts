/** Tests that a refused call leaves nothing on its connection. */

import { startServer } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";
import { liveBytes, openRefused, REFUSALS, timers } from "./support/refused-calls.ts";

const rows = (["1.1", "2"] as const).flatMap((httpVersion) => REFUSALS.map((refusal) => ({ ...refusal, httpVersion })));

test.each(rows)(
  "a thousand calls answered $status leave nothing on one connection of HTTP/$httpVersion",
  async (row) => {
    const warnings: Error[] = [];
    const onWarning = (warning: Error) => warnings.push(warning);
    process.on("warning", onWarning);
    await using server = await startServer({ logger: undefined });
    const connection = await openRefused(server, row, row.httpVersion);
    await connection.calls(100);
    const timersBefore = timers();
    const rounds: { ms: number; growthBytes: number }[] = [];
    for (let round = 0; round < 3; round++) {
      const bytesBefore = liveBytes();
      const ms = await connection.calls(300);
      rounds.push({ ms, growthBytes: liveBytes() - bytesBefore });
    }
    // Each call's timers must end with it: after 900 calls, none of theirs may be left.
    expect(timers() - timersBefore).toBeLessThan(10);
    // A leak grows each round by several kilobytes per call. Memory that the process uses for the first time grows one
    // round.
    expect(Math.min(...rounds.map(({ growthBytes }) => growthBytes))).toBeLessThan(512 * 1_024);
    expect(rounds.at(-1)?.ms).toBeLessThan((rounds[0]?.ms ?? 0) * 4);
    expect(connection.connections()).toBe(1);
    expect(warnings).toEqual([]);
    connection.close();
    process.off("warning", onWarning);
  },
);
