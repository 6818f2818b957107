import { expect, test } from "vitest";
import { IDLE_WATCHERS, watchIdle } from "./support/idle-watches.ts";

test("idle watches outlast a proxy that cuts silent connections; without progress they would not", async () => {
  const times = { cutAfterMs: 2_000, idleMs: 3_000 };
  const [live, control] = await Promise.all([
    watchIdle({ ...times, progressIntervalMs: 200, isEnough: ({ progress }) => progress > 2 }),
    watchIdle({ ...times, progressIntervalMs: 600_000, isEnough: ({ lost }) => lost >= IDLE_WATCHERS }),
  ]);
  expect(live).toMatchObject({ cuts: 0, lost: 0, seen: IDLE_WATCHERS });
  expect(live.progress).toBeGreaterThan(2);
  // The streams are lost, but resume.
  expect(control.cuts).toBeGreaterThanOrEqual(IDLE_WATCHERS);
  expect(control.lost).toBeGreaterThanOrEqual(IDLE_WATCHERS);
  expect(control.seen).toBe(IDLE_WATCHERS);
});
