import { expect, test, vi } from "vitest";
import { createLogger } from "../../telemetry/logger.ts";
import { BoundedLines } from "./bounded-lines.ts";

test("each second has a number of lines, and then one with the count of the others", () => {
  vi.useFakeTimers();
  try {
    const log: Record<string, unknown>[] = [];
    const logger = createLogger("info", { write: (line) => log.push(JSON.parse(line)) });
    const lines = new BoundedLines(logger, "request refused", 2);
    for (let n = 1; n <= 5; n++) lines.info({ n });
    vi.advanceTimersByTime(1_000);
    lines.info({ n: 6 });
    vi.advanceTimersByTime(5_000);
    expect(log.map(({ n, count, msg }) => [n ?? count, msg])).toEqual([
      [1, "request refused"],
      [2, "request refused"],
      [3, "request refused: further ones left out"],
      [6, "request refused"],
    ]);
  } finally {
    vi.useRealTimers();
  }
});
