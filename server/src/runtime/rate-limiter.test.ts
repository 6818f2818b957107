import { expect, test } from "vitest";
import { RateLimiter } from "./rate-limiter.ts";

function createLimiter(options: { perSecond: number; burst: number; maxKeys?: number }) {
  const clock = { ms: 5_000 };
  return { clock, limiter: new RateLimiter({ maxKeys: 10, ...options, now: () => clock.ms }) };
}

test("a burst passes at once, and then one an interval", () => {
  const { clock, limiter } = createLimiter({ perSecond: 10, burst: 3 });
  expect([1, 2, 3].map(() => limiter.spend("a"))).toEqual([0, 0, 0]);
  expect(limiter.spend("a")).toBe(100);
  expect(limiter.spend("b")).toBe(0);
  clock.ms += 99;
  expect(limiter.spend("a")).toBe(1);
  clock.ms += 1;
  expect(limiter.spend("a")).toBe(0);
  expect(limiter.spend("a")).toBe(100);
  clock.ms += 60_000;
  expect(limiter.stateOf("a")).toEqual({ left: 3, fullInMs: 0 });
  expect([1, 2, 3, 4].map(() => limiter.spend("a"))).toEqual([0, 0, 0, 100]);
});

test("over a long time the rate is exact, whatever is refused in between", () => {
  const { clock, limiter } = createLimiter({ perSecond: 30, burst: 5 });
  let passed = 0;
  for (let ms = 0; ms < 60_000; ms++, clock.ms++) if (limiter.spend("a") === 0) passed += 1;
  expect(passed).toBe(30 * 60 + 4);
});

test("what is given back can be spent again", () => {
  const { limiter } = createLimiter({ perSecond: 1, burst: 1 });
  expect(limiter.spend("a")).toBe(0);
  expect(limiter.spend("a")).toBe(1_000);
  limiter.refund("a");
  expect(limiter.spend("a")).toBe(0);
});

test("a flood of keys frees neither the one that goes on spending nor refuses a new one", () => {
  const { limiter } = createLimiter({ perSecond: 1, burst: 2, maxKeys: 100 });
  limiter.spend("abuser");
  limiter.spend("abuser");
  for (let i = 0; i < 10_000; i++) {
    expect(limiter.spend(`made up ${i}`)).toBe(0);
    if (i % 50 === 0) expect(limiter.spend("abuser")).toBeGreaterThan(0);
  }
  expect(limiter.spend("innocent")).toBe(0);
  // The control: a key that is quiet meanwhile is forgotten, so memory is bounded.
  for (let i = 0; i < 300; i++) limiter.spend(`another ${i}`);
  expect(limiter.spend("abuser")).toBe(0);
});
