/** What a refused call leaves on its connection: nothing. */
import { expect, test } from "vitest";
import { startServer } from "./harness.ts";
import { liveBytes, openRefused, REFUSALS, timers } from "./refused-calls.ts";

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
    const bytesBefore = liveBytes();
    const firstMs = await connection.calls(300);
    await connection.calls(300);
    const lastMs = await connection.calls(300);
    // The timers of a call are its own: of 900 calls, none may be left.
    expect(timers() - timersBefore).toBeLessThan(10);
    // About a kilobyte for each; what leaks of a request has several.
    expect(liveBytes() - bytesBefore).toBeLessThan(1024 ** 2);
    expect(lastMs).toBeLessThan(firstMs * 4);
    expect(connection.connections()).toBe(1);
    expect(warnings).toEqual([]);
    connection.close();
    process.off("warning", onWarning);
  },
);
