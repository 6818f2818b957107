import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Address } from "./address.ts";

beforeEach(() => vi.useFakeTimers({ toFake: ["performance"] }));
afterEach(() => vi.useRealTimers());

/** Returns an address's rests between so many faults in a row, in milliseconds. */
function restsAfter(count: number, fault: (address: Address) => void): number[] {
  const address = new Address("http://localhost:8080");
  return Array.from({ length: count }, () => {
    fault(address);
    const { restMs } = address;
    vi.advanceTimersByTime(restMs + 1);
    return restMs;
  });
}

test("an address that can't be reached is tried again each second, so that calls find a server that is back", () => {
  const rests = restsAfter(20, (address) => address.failed());
  expect(rests[0]).toBeLessThanOrEqual(24);
  expect(Math.max(...rests)).toBeLessThanOrEqual(1_200);
  expect(Math.min(...rests.slice(7))).toBeGreaterThanOrEqual(800);
});

test("an address that drops its calls is left alone for longer", () => {
  const rests = restsAfter(20, (address) => {
    address.connected();
    address.lost(true);
  });
  expect(rests[0]).toBeLessThanOrEqual(24);
  expect(Math.max(...rests)).toBeLessThanOrEqual(6_000);
  expect(Math.min(...rests.slice(9))).toBeGreaterThanOrEqual(4_000);
});
