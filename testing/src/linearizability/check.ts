import { type Model, type Operation, UNKNOWN } from "./model.ts";

/** States to visit before a history counts as too complex to judge. */
const DEFAULT_MAX_STATES = 2_000_000;

export interface Verdict<State, Input, Output> {
  readonly linearizable: boolean;
  /** Number of states that the search has visited. */
  readonly states: number;
  /**
   * The longest possible order. For a linearizable history it has all operations, except those with unknown outcomes
   * and no effect.
   */
  readonly order: readonly Operation<Input, Output>[];
  /** State after that order. */
  readonly state: State;
  /** Operations one of which had to come next, although none could. Empty for a linearizable history. */
  readonly stuck: readonly Operation<Input, Output>[];
}

/** The call or the return of an operation, in a doubly linked list by time. */
interface Entry<Input, Output> {
  readonly index: number;
  readonly operation: Operation<Input, Output>;
  /** The return of a call; undefined for unknown outcomes, and for a return itself. */
  readonly matching: Entry<Input, Output> | undefined;
  readonly isCall: boolean;
  previous: Entry<Input, Output> | undefined;
  next: Entry<Input, Output> | undefined;
}

/**
 * Decides whether a history of concurrent operations on one object is linearizable: whether each can have taken effect
 * at one moment between its call and its return, in an order that the model allows. It is Wing and Gong's search with
 * Lowe's memory of states, as in porcupine. An operation with an unknown outcome may take effect at any time after its
 * call, or never.
 *
 * Check each object separately: split whole histories with `Map.groupBy` first.
 *
 * @throws Error when the search has visited `maxStates` states without an answer.
 */
export function checkLinearizable<State, Input, Output>(
  model: Model<State, Input, Output>,
  operations: readonly Operation<Input, Output>[],
  maxStates = DEFAULT_MAX_STATES,
): Verdict<State, Input, Output> {
  const head = linkByTime(operations);
  let known = operations.filter(({ output }) => output !== UNKNOWN).length;
  const done = new Bits(operations.length);
  const seen = new Set([`${done.key()} ${model.keyOf(model.initial)}`]);
  const taken: { entry: Entry<Input, Output>; stateBefore: State }[] = [];
  let state = model.initial;
  let deepest = { order: [] as Operation<Input, Output>[], state, stuck: [] as Operation<Input, Output>[] };
  let entry = head.next;
  while (known > 0) {
    if (entry?.isCall) {
      const { operation, index } = entry;
      const next = model.step(state, operation.input, operation.output);
      const isUnknown = operation.output === UNKNOWN;
      // If it changes nothing, taking an unknown outcome here is the same as leaving it out.
      if (next !== undefined && !(isUnknown && next === state)) {
        done.set(index, true);
        const key = `${done.key()} ${model.keyOf(next)}`;
        if (!seen.has(key)) {
          if (seen.size >= maxStates) throw new Error(`no answer after ${maxStates} states`);
          seen.add(key);
          taken.push({ entry, stateBefore: state });
          state = next;
          lift(entry);
          if (!isUnknown) known -= 1;
          entry = head.next;
          continue;
        }
        done.set(index, false);
      }
      entry = entry.next;
      continue;
    }
    // A known operation returns here, and none of the operations before it can come next. Or nothing is left to try.
    if (taken.length >= deepest.order.length) {
      deepest = { order: taken.map((each) => each.entry.operation), state, stuck: callsBefore(head, entry) };
    }
    const last = taken.pop();
    if (!last) return { linearizable: false, states: seen.size, ...deepest };
    state = last.stateBefore;
    done.set(last.entry.index, false);
    unlift(last.entry);
    if (last.entry.operation.output !== UNKNOWN) known += 1;
    entry = last.entry.next;
  }
  const order = taken.map((each) => each.entry.operation);
  return { linearizable: true, states: seen.size, order, state, stuck: [] };
}

/** Returns an entry before the first one. At equal times calls come first, so that the operations are concurrent. */
function linkByTime<Input, Output>(operations: readonly Operation<Input, Output>[]): { next?: Entry<Input, Output> } {
  const timed = operations.flatMap((operation, index) => {
    const base = { index, operation, previous: undefined, next: undefined };
    if (operation.output === UNKNOWN) return { ...base, isCall: true, matching: undefined };
    const returned = { ...base, isCall: false, matching: undefined };
    return [{ ...base, isCall: true, matching: returned }, returned];
  }) as Entry<Input, Output>[];
  const timeOf = ({ isCall, operation }: Entry<Input, Output>) => (isCall ? operation.calledAt : operation.returnedAt);
  timed.sort((a, b) => timeOf(a) - timeOf(b) || Number(b.isCall) - Number(a.isCall));
  const head = { index: -1, isCall: false } as Entry<Input, Output>;
  let last = head;
  for (const each of timed) {
    last.next = each;
    each.previous = last;
    last = each;
  }
  return head as { next?: Entry<Input, Output> };
}

/** Removes an operation's call and return from the list. They remember their neighbours. */
function lift<Input, Output>(entry: Entry<Input, Output>): void {
  for (const each of [entry, entry.matching]) {
    if (!each) continue;
    if (each.previous) each.previous.next = each.next;
    if (each.next) each.next.previous = each.previous;
  }
}

/** Puts them back. The operations have to be put back in reverse order. */
function unlift<Input, Output>(entry: Entry<Input, Output>): void {
  for (const each of [entry.matching, entry]) {
    if (!each) continue;
    if (each.previous) each.previous.next = each;
    if (each.next) each.next.previous = each;
  }
}

function callsBefore<Input, Output>(
  head: { next?: Entry<Input, Output> },
  end: Entry<Input, Output> | undefined,
): Operation<Input, Output>[] {
  const calls: Operation<Input, Output>[] = [];
  for (let entry = head.next; entry && entry !== end; entry = entry.next) if (entry.isCall) calls.push(entry.operation);
  return calls;
}

/** A set of small numbers, with a key that is the same for equal sets. */
class Bits {
  readonly #words: Uint16Array;

  constructor(size: number) {
    this.#words = new Uint16Array(Math.ceil(size / 16));
  }

  set(index: number, value: boolean): void {
    const bit = 1 << (index & 15);
    const word = this.#words[index >> 4] ?? 0;
    this.#words[index >> 4] = value ? word | bit : word & ~bit;
  }

  key(): string {
    let key = "";
    for (const word of this.#words) key += String.fromCharCode(word);
    return key;
  }
}
