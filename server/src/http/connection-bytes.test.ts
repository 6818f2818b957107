import { expect, test } from "vitest";
import { ByteBudget, ConnectionBytes } from "./byte-budget.ts";

function createCall(queued = 0) {
  const call = { queued, ended: 0, queuedBytes: () => call.queued, unsentBytes: () => 0, end: () => call.ended++ };
  return call;
}

test("what the calls of a connection hold is counted until they are closed", async () => {
  const budget = new ByteBudget({ maxConnectionBytes: 100, maxProcessBytes: 1_000 });
  const connection = new ConnectionBytes(budget, () => 0);
  const first = connection.open(createCall(60));
  const second = connection.open(createCall(30));
  await first.hold(0);
  expect(first.hold(20)).toBe(undefined);
  connection.sum();
  expect([connection.heldBytes, budget.heldBytes, connection.isOver]).toEqual([110, 110, true]);
  expect(connection.mayBegin()).toBe(false);
  first.hold(-20);
  first.close();
  expect([connection.heldBytes, budget.heldBytes, connection.mayBegin()]).toEqual([30, 30, true]);
  second.close();
  expect([connection.heldBytes, budget.heldBytes, budget.connections.size]).toEqual([0, 0, 0]);
});

test("over the budget only the eldest message grows, and the next one when that is complete", async () => {
  const budget = new ByteBudget({ maxConnectionBytes: 100, maxProcessBytes: 1_000 });
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

test("a process that holds too much keeps back the connections that hold more than their share", () => {
  const budget = new ByteBudget({ maxConnectionBytes: 1e9, maxProcessBytes: 200_000 });
  const [greedy, modest] = [0, 0].map(() => new ConnectionBytes(budget, () => 0));
  greedy?.open(createCall(190_000));
  modest?.open(createCall(20_000));
  greedy?.sum();
  modest?.sum();
  expect([greedy?.isOver, modest?.isOver]).toEqual([true, false]);
});

test("complete messages are kept up to a multiple; those of the same size take their places", async () => {
  const budget = new ByteBudget({ maxConnectionBytes: 100, maxProcessBytes: 1_000_000 });
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
