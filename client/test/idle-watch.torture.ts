import { expect, test } from "vitest";
import { IDLE_WATCHERS, watchIdle } from "./support/idle-watches.ts";

const MINUTE_MS = 60_000;
const idleMs = Number(process.env.IDLE_MINUTES ?? 60) * MINUTE_MS;

test(
  "watches are live after an hour without a change, through a proxy that cuts silent connections after a minute",
  async () => {
    const report = await watchIdle({ cutAfterMs: MINUTE_MS, progressIntervalMs: undefined, idleMs });
    console.info("idle watches", { idleMs, ...report });
    expect(report).toMatchObject({ cuts: 0, lost: 0, seen: IDLE_WATCHERS });
    expect(report.progress).toBeGreaterThanOrEqual(Math.floor(idleMs / MINUTE_MS));
  },
  idleMs + 2 * MINUTE_MS,
);
