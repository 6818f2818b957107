import { nextTurn } from "../../runtime/loop-turn.ts";
import { FairLine } from "../admission/fair-line.ts";
import type { CallBytes } from "./call-bytes.ts";
import type { ConnectionBytes } from "./connection-bytes.ts";

/**
 * Time for which a call counts as fresh, in milliseconds. A call that takes longer to answer no longer holds up others.
 */
const FRESH_MS = 10;

export interface AnswerPaceOptions {
  /** Calls that may be fresh at once while there is no room. */
  maxFreshCalls: number;
  /** Returns whether so little is held that calls need no pace. */
  hasRoom(): boolean;
}

interface Start {
  readonly call: CallBytes;
  begin(): void;
}

/**
 * Lets only a few calls begin at once while much is held. Making an answer takes several times the answer's size, so
 * the first answers have to be counted before the last ones are made.
 */
export class AnswerPace {
  readonly #options: AnswerPaceOptions;
  readonly #line = new FairLine<ConnectionBytes, Start>((connection) => connection.isHeavy);
  #fresh: { call: CallBytes; sinceMs: number }[] = [];

  constructor(options: AnswerPaceOptions) {
    this.#options = options;
  }

  /** Resolves when the call may be handled. Returns undefined if it may be at once. */
  begin(call: CallBytes): Promise<void> | undefined {
    if (this.#options.hasRoom() && this.#line.length === 0) return undefined;
    return new Promise((begin) => {
      this.#line.push(call.connection, { call, begin });
      if (this.#line.length === 1) void this.#serve();
    });
  }

  async #serve(): Promise<void> {
    while (this.#line.length > 0) {
      while (!this.#options.hasRoom() && this.#countFresh() >= this.#options.maxFreshCalls) await nextTurn();
      const next = this.#line.shift();
      if (!next) return;
      this.#fresh.push({ call: next.call, sinceMs: performance.now() });
      next.call.connection.sum();
      next.begin();
    }
  }

  /** Counts the calls that began within the last `FRESH_MS` and have no answer yet. */
  #countFresh(): number {
    const nowMs = performance.now();
    this.#fresh = this.#fresh.filter(({ call, sinceMs }) => nowMs - sinceMs < FRESH_MS && !call.isAnswered);
    return this.#fresh.length;
  }
}
