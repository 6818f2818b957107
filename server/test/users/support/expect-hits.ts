import type { FeedReport } from "@rollcall/testing/feed-run";
import { expect } from "vitest";

/**
 * Expects that the faults of a run had effects: watchers were cut off, some right after a `progress`, and the log was
 * trimmed.
 */
export function expectHits(report: FeedReport): void {
  expect(report.resumes).toBeGreaterThan(50);
  expect(report.resumesBehindProgress).toBeGreaterThan(0);
  expect(report.resets).toBeGreaterThan(0);
  expect(report.readsOfWrites).toBeGreaterThan(0);
  expect(report.cutsAtRemovals).toBeGreaterThan(0);
  expect(report.complete).toBeGreaterThan(0);
  expect(report.unhit).toEqual([]);
}
