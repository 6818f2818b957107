import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import { durationText, startProgress, USERS } from "./progress.ts";

/** Returns the output to a terminal, or to a pipe, while 300 of 1000 KiB are done. */
async function show(isTTY: boolean): Promise<string> {
  const output = Object.assign(new PassThrough(), { isTTY, columns: 100, cursorTo() {}, clearLine() {} });
  {
    using progress = startProgress(output, 1_024_000);
    progress.update(307_200);
    progress.note("line 7: is not JSON");
  }
  output.end();
  return text(output);
}

test("a terminal gets a bar with rate and remaining time, and notes between", async () => {
  const shown = await show(true);
  expect(shown).toContain("█");
  expect(shown).toMatch(/30% {2}300\.0 KiB of 1000\.0 KiB {2}\d+(\.\d)? \w+\/s {2}\d+s left/);
  expect(shown).toContain("line 7: is not JSON\n");
});

test("a total that is known later makes a bar of the count", async () => {
  const output = Object.assign(new PassThrough(), { isTTY: true, columns: 100 });
  {
    using progress = startProgress(output, undefined);
    progress.update(307_200, 1_024_000);
    progress.update(512_000);
  }
  output.end();
  expect(await text(output)).toMatch(/50% {2}500\.0 KiB of 1000\.0 KiB/);
});

test("an estimated total is shown as one, and what an earlier run has done is not in the rate", async () => {
  const output = Object.assign(new PassThrough(), { isTTY: true, columns: 100 });
  {
    using progress = startProgress(output, undefined, USERS);
    progress.resume(500_000);
    progress.update(500_000, 1_000_000, true);
  }
  output.end();
  expect(await text(output)).toMatch(/50% {2}500,000 of about 1,000,000 users {2}0\/s {2}\? left/);
});

test("anything else gets the notes alone", async () => {
  expect(await show(false)).toBe("line 7: is not JSON\n");
});

test("durations are easy to read", () => {
  expect([0.2, 59, 60, 185, 3_600, 7_650].map(durationText)).toEqual([
    "1s",
    "59s",
    "1m 00s",
    "3m 05s",
    "1h 00m",
    "2h 07m",
  ]);
});
