import { until } from "@rollcall/testing/start-server";
import { afterEach, describe, expect, test, vi } from "vitest";
import { CALL_BYTES, OVER_SHARE_STALL_TIMEOUT_MS } from "../../limits.ts";
import { ByteBudget } from "./byte-budget.ts";
import { ConnectionBytes } from "./connection-bytes.ts";

afterEach(() => void vi.useRealTimers());

/** Resolves when the waiting readers have been asked again, and once more for the effects of that. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}

function createCall(queued = 0, unsent = 0) {
  const call = { queued, ended: 0, queuedBytes: () => call.queued, unsentBytes: () => unsent, end: () => call.ended++ };
  return call;
}

test("bytes that a connection's calls hold are counted until they are closed", async () => {
  const budget = new ByteBudget({ maxConnectionBytes: CALL_BYTES + 100, maxHeldBytes: 10 * CALL_BYTES });
  const connection = new ConnectionBytes(budget, () => 0);
  const first = connection.open(createCall(60, 60));
  const second = connection.open(createCall(30));
  await first.hold(0);
  expect(first.hold(20)).toBe(undefined);
  connection.sum();
  const heldBytes = CALL_BYTES + 110;
  expect([connection.heldBytes, budget.heldBytes, connection.isOver]).toEqual([heldBytes, heldBytes, true]);
  expect(connection.mayBegin()).toBe(false);
  first.hold(-20);
  first.close();
  expect([connection.heldBytes, budget.heldBytes, connection.mayBegin()]).toEqual([30, 30, true]);
  second.close();
  expect([connection.heldBytes, budget.heldBytes, budget.connections.size]).toEqual([0, 0, 0]);
});

test("over the budget only the oldest message grows, and the next one when it is complete", async () => {
  const budget = new ByteBudget({ maxConnectionBytes: 100, maxHeldBytes: 1_000 });
  const connection = new ConnectionBytes(budget, () => 0);
  const eldest = connection.open(createCall());
  const next = connection.open(createCall());
  expect(eldest.hold(60)).toBe(undefined);
  let mayGrow = false;
  const waiting = next.hold(60)?.then(() => {
    mayGrow = true;
  });
  expect(eldest.hold(60)).toBe(undefined);
  await Promise.resolve();
  expect(mayGrow).toBe(false);
  eldest.hold(-120);
  await waiting;
  expect(mayGrow).toBe(true);
});

test("a process that holds too much delays connections that hold more than their share", () => {
  const budget = new ByteBudget({ maxConnectionBytes: 1e9, maxHeldBytes: 200_000 });
  const [greedy, modest] = [0, 0].map(() => new ConnectionBytes(budget, () => 0));
  greedy?.open(createCall(190_000));
  modest?.open(createCall(20_000));
  greedy?.sum();
  modest?.sum();
  expect([greedy?.isOver, modest?.isOver]).toEqual([true, false]);
});

test("complete messages are kept up to a multiple of the limit; those of the same size replace them", async () => {
  const budget = new ByteBudget({ maxConnectionBytes: 100, maxHeldBytes: 1_000_000 });
  const connection = new ConnectionBytes(budget, () => 0);
  const [eldest, second, third] = [
    connection.open(createCall()),
    connection.open(createCall()),
    connection.open(createCall()),
  ];
  eldest.keep(500);
  second.keep(500);
  expect([connection.keptBytes, budget.heldBytes, connection.isOver, connection.keepsTooMuch]).toEqual([
    1_000,
    1_000,
    false,
    true,
  ]);
  expect([eldest.room(600), second.room(500)]).toEqual([undefined, undefined]);
  let hasRoom = false;
  const waiting = third.room(500)?.then(() => {
    hasRoom = true;
  });
  await Promise.resolve();
  expect(hasRoom).toBe(false);
  eldest.close();
  await waiting;
  expect(hasRoom).toBe(true);
  second.close();
  third.close();
  expect([connection.keptBytes, budget.heldBytes]).toEqual([0, 0]);
});

test("as many waiting calls go on as there is room for, the oldest first", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  const budget = new ByteBudget({ maxConnectionBytes: 1e6, maxHeldBytes: 1e9 });
  const connection = new ConnectionBytes(budget, () => 0);
  const large = connection.open(createCall());
  large.hold(950_000);
  const goingOn: number[] = [];
  const calls = Array.from({ length: 20 }, () => connection.open(createCall()));
  for (const [index, call] of calls.entries()) void call.hold(100_000)?.then(() => goingOn.push(index));
  large.hold(-850_000);
  large.close();
  for (const call of calls.slice(12)) call.close();
  await turns();
  // Twelve hold 1.2 MB, so only the oldest of them may continue. The others that have continued are done.
  expect(goingOn.filter((index) => index < 12)).toEqual([0]);
  for (const call of calls.slice(6, 12)) call.close();
  await turns();
  // Six hold 0.6 MB, and each that continues takes 32 KiB.
  expect(goingOn.filter((index) => index < 6)).toEqual([0, 1, 2, 3, 4, 5]);
  expect(connection.heldBytes).toBe(600_000 + 6 * 32 * 1_024);
  // The 32 KiB are released when no more bytes arrive.
  vi.advanceTimersByTime(200);
  connection.sum();
  expect(connection.heldBytes).toBe(600_000);
});

describe("a call that stands still while too much is held", () => {
  const MINUTE_MS = 60_000;
  const createBusy = () => {
    vi.useFakeTimers();
    const budget = new ByteBudget({ maxConnectionBytes: 100, maxHeldBytes: 1_000_000 });
    const connection = new ConnectionBytes(budget, () => 0);
    return (isAwaited: boolean) => {
      const call = createCall();
      const bytes = connection.open(call);
      const reader = { isAwaited };
      bytes.reader = reader;
      return { call, bytes, reader };
    };
  };

  test("is ended when its client is waited for, and not while the client waits for the server", async () => {
    const open = createBusy();
    const held = open(false);
    held.bytes.hold(200);
    const kept = open(false);
    kept.bytes.keep(2_000);
    await vi.advanceTimersByTimeAsync(MINUTE_MS);
    expect([kept.call.ended, held.call.ended]).toEqual([0, 0]);
    held.reader.isAwaited = true;
    await vi.advanceTimersByTimeAsync(4_500);
    expect(held.call.ended).toBe(0);
    await vi.advanceTimersByTimeAsync(1_500);
    expect([kept.call.ended, held.call.ended]).toEqual([0, 1]);
    kept.reader.isAwaited = true;
    await vi.advanceTimersByTimeAsync(6_000);
    expect(kept.call.ended).toBe(1);
  });

  test("waits for room as long as the one ahead of it works, and half a minute if that waits for its client", async () => {
    const open = createBusy();
    const ahead = open(false);
    ahead.bytes.keep(2_000);
    const behind = open(false);
    behind.bytes.keep(10);
    void behind.bytes.room(100);
    await vi.advanceTimersByTimeAsync(2 * MINUTE_MS);
    expect([ahead.call.ended, behind.call.ended]).toEqual([0, 0]);
    // A client that sends a little now and then is not stalled, but blocks others.
    ahead.reader.isAwaited = true;
    const trickle = setInterval(() => ahead.bytes.moved(), 1_000);
    await vi.advanceTimersByTimeAsync(29_000);
    expect(behind.call.ended).toBe(0);
    await vi.advanceTimersByTimeAsync(2_000);
    clearInterval(trickle);
    expect([ahead.call.ended, behind.call.ended]).toEqual([0, 1]);
  });
});

test("time in which the event loop was busy does not count as time that a client let pass", async () => {
  const budget = new ByteBudget({ maxConnectionBytes: 100, maxHeldBytes: 100 });
  const call = createCall();
  const bytes = new ConnectionBytes(budget, () => 0).open(call);
  bytes.reader = { isAwaited: true };
  bytes.keep(100_000);
  const nextLook = async () => {
    const seenMs = budget.watchedMs;
    await until(() => budget.watchedMs > seenMs);
  };
  await nextLook();
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, OVER_SHARE_STALL_TIMEOUT_MS);
  await nextLook();
  expect(call.ended).toBe(0);
  await until(() => call.ended === 1);
  expect(budget.watchedMs).toBeGreaterThanOrEqual(OVER_SHARE_STALL_TIMEOUT_MS);
});
