import { expect, test } from "vitest";
import { createRandom } from "../random.ts";
import { checkLinearizable } from "./check.ts";
import { History, NEVER } from "./history.ts";
import { type Model, type Operation, UNKNOWN } from "./model.ts";

type Input = { write: number } | { swap: [from: number, to: number] } | "read";
/** The number read, or whether a swap was made; undefined for a write. */
type Output = number | boolean | undefined;

/** A register that begins at 0. */
const register: Model<number, Input, Output> = {
  initial: 0,
  step(state, input, output) {
    if (input === "read") return output === UNKNOWN || output === state ? state : undefined;
    if ("write" in input) return input.write;
    const [from, to] = input.swap;
    const matches = from === state;
    if (output !== UNKNOWN && output !== matches) return undefined;
    return matches ? to : state;
  },
  keyOf: String,
};

let client = 0;
type Call = Operation<Input, Output>;
const at = (calledAt: number, returnedAt: number, input: Input, output: Call["output"] = undefined): Call => {
  client += 1;
  return { client, input, output, calledAt, returnedAt };
};
const lost = (calledAt: number, input: Input) => at(calledAt, Number.POSITIVE_INFINITY, input, UNKNOWN);

test.each<[string, Call[]]>([
  ["nothing", []],
  ["one after the other", [at(1, 2, { write: 1 }), at(3, 4, "read", 1)]],
  ["a read beside a write sees the old value", [at(1, 4, { write: 1 }), at(2, 3, "read", 0)]],
  ["… or the new one", [at(1, 4, { write: 1 }), at(2, 3, "read", 1)]],
  [
    "new, while another write is still under way",
    [at(1, 10, { write: 1 }), at(2, 9, { write: 2 }), at(3, 4, "read", 2), at(5, 6, "read", 1)],
  ],
  [
    "of two swaps at once one is made",
    [at(1, 4, { swap: [0, 1] }, true), at(2, 5, { swap: [0, 2] }, false), at(6, 7, "read", 1)],
  ],
  ["a lost write that is seen later", [lost(1, { write: 1 }), at(2, 3, "read", 0), at(4, 5, "read", 1)]],
  ["a lost write that is never seen", [lost(1, { write: 1 }), at(2, 3, { write: 2 }), at(4, 5, "read", 2)]],
  [
    "a lost write that takes effect after a later one",
    [lost(1, { write: 1 }), at(2, 3, { write: 2 }), at(4, 5, "read", 2), at(6, 7, "read", 1)],
  ],
  ["a lost swap that was in time", [lost(1, { swap: [0, 1] }), at(2, 3, { swap: [0, 2] }, false)]],
  ["equal times are concurrent", [at(1, 2, { write: 1 }), at(2, 3, "read", 0)]],
])("linearizable: %s", (_name, operations) => {
  expect(checkLinearizable(register, operations)).toMatchObject({ linearizable: true, stuck: [] });
  expect(checkLinearizable(register, operations.toReversed()).linearizable).toBe(true);
});

test.each<[string, Call[]]>([
  ["a value that nobody wrote", [at(1, 2, "read", 1)]],
  ["a read of the old value after the write", [at(1, 2, { write: 1 }), at(3, 4, "read", 0)]],
  ["new, then old again", [at(1, 10, { write: 1 }), at(2, 3, "read", 1), at(4, 5, "read", 0)]],
  [
    "two clients see two writes in different orders",
    [at(1, 2, { write: 1 }), at(1, 2, { write: 2 }), at(3, 4, "read", 1), at(5, 6, "read", 2)],
  ],
  ["two swaps of one value are both made", [at(1, 4, { swap: [0, 1] }, true), at(2, 5, { swap: [0, 2] }, true)]],
  ["a swap that fails for no reason", [at(1, 2, { swap: [0, 1] }, false)]],
  ["a write that was lost before its call", [at(1, 2, "read", 1), lost(3, { write: 1 })]],
  [
    "a lost write that takes effect twice",
    [lost(1, { write: 1 }), at(2, 3, "read", 1), at(4, 5, { write: 2 }), at(6, 7, "read", 2), at(8, 9, "read", 1)],
  ],
  ["a lost swap that was too late", [at(1, 2, { write: 5 }), lost(3, { swap: [0, 1] }), at(4, 5, "read", 1)]],
])("not linearizable: %s", (_name, operations) => {
  const verdict = checkLinearizable(register, operations);
  expect(verdict.linearizable).toBe(false);
  expect(verdict.stuck.length).toBeGreaterThan(0);
  expect(checkLinearizable(register, operations.toReversed()).linearizable).toBe(false);
});

test("the operation that fits nowhere is named, with the state that it met", () => {
  const wrong = at(5, 6, "read", 7);
  const operations = [at(1, 2, { write: 1 }), at(3, 4, { write: 2 }), wrong, at(7, 8, { write: 7 })];
  expect(checkLinearizable(register, operations)).toMatchObject({ state: 2, stuck: [wrong] });
});

/**
 * Returns a history of a real register, whose operations take effect at a random moment between call and return, or
 * never.
 */
function randomHistory(seed: number): Call[] {
  const random = createRandom(seed);
  const operations: (Call & { effectAt: number })[] = [];
  for (let time = 0; operations.length < 40; time += random.below(4)) {
    const input: Input = random.pick<() => Input>([
      () => "read",
      () => ({ write: random.below(4) }),
      () => ({ swap: [random.below(4), random.below(4)] }),
    ])();
    const effectAt = time + random.below(12) + 0.5;
    operations.push({ ...at(time, effectAt + random.below(12) + 0.5, input), effectAt });
  }
  let value = 0;
  return operations
    .toSorted((a, b) => a.effectAt - b.effectAt)
    .map(({ effectAt: _, ...operation }) => {
      const { input } = operation;
      const isLost = input !== "read" && random.isOnce(6);
      if (isLost && random.isOnce(2)) return { ...operation, output: UNKNOWN, returnedAt: Number.POSITIVE_INFINITY };
      let output: Output;
      if (input === "read") output = value;
      else if ("write" in input) value = input.write;
      else {
        output = input.swap[0] === value;
        if (output) value = input.swap[1];
      }
      return isLost
        ? { ...operation, output: UNKNOWN, returnedAt: Number.POSITIVE_INFINITY }
        : { ...operation, output };
    });
}

/** Tries every order of a short history. It is slow, but plainly correct. */
function isLinearizableByForce(operations: readonly Call[], state = register.initial): boolean {
  if (operations.every(({ output }) => output === UNKNOWN)) return true;
  return operations.some((operation, index) => {
    if (operations.some(({ returnedAt }) => returnedAt < operation.calledAt)) return false;
    const next = register.step(state, operation.input, operation.output);
    return next !== undefined && isLinearizableByForce(operations.toSpliced(index, 1), next);
  });
}

test("a hundred random histories of a right register are linearizable", () => {
  for (let seed = 0; seed < 100; seed++) {
    expect(checkLinearizable(register, randomHistory(seed)).linearizable, `seed ${seed}`).toBe(true);
  }
});

test("short histories with one wrong answer get the verdict of a search of all orders", () => {
  const verdicts = { true: 0, false: 0 };
  for (let seed = 0; seed < 400; seed++) {
    const operations = randomHistory(seed).slice(0, 7);
    const wrong = operations.findLastIndex(({ input }) => input === "read");
    const { output } = operations[wrong] ?? {};
    if (typeof output !== "number") continue;
    const changed = operations.with(wrong, {
      ...(operations[wrong] as (typeof operations)[0]),
      output: (output + 1) % 4,
    });
    const expected = isLinearizableByForce(changed);
    expect(checkLinearizable(register, changed).linearizable, `seed ${seed}`).toBe(expected);
    verdicts[`${expected}`] += 1;
  }
  expect(Math.min(verdicts.true, verdicts.false)).toBeGreaterThan(20);
});

test("a history that is too complex to judge is refused, not passed", () => {
  const many = Array.from({ length: 12 }, (_, number) => at(1, 2, { write: number }));
  expect(() => checkLinearizable(register, [...many, at(3, 4, "read", 99)], 1_000)).toThrow("no answer after 1000");
});

test("a history has what was answered, what was lost, and not what was never sent", async () => {
  const history = new History<Input, Output>();
  const slow = history.record(1, "read", () => new Promise((resolve) => setImmediate(resolve, 0)));
  await history.record(2, { write: 1 }, async () => UNKNOWN);
  await history.record(3, { write: 2 }, async () => NEVER);
  await slow;
  expect(history.operations).toEqual([
    { client: 2, input: { write: 1 }, output: UNKNOWN, calledAt: 2, returnedAt: Number.POSITIVE_INFINITY },
    { client: 1, input: "read", output: 0, calledAt: 1, returnedAt: 4 },
  ]);
});
