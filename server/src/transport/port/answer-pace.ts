import { nextTurn } from "../../runtime/loop-turn.ts";
import { FairLine } from "../admission/fair-line.ts";
import type { CallBytes } from "./call-bytes.ts";
import type { ConnectionBytes } from "./connection-bytes.ts";

/** How long a call counts as one whose answer is being made: slow ones hold up nobody. */
const FRESH_MS = 10;

export interface AnswerPaceOptions {
  /** Calls that are handled at once while there is no room. */
  maxFreshCalls: number;
  /** Whether so little is held that calls need no pace. */
  hasRoom(): boolean;
}

interface Start {
  readonly call: CallBytes;
  begin(): void;
}

/**
 * Begins few calls at once while much is held, so that the first answers are counted
 * before the last are made: what an answer is made of takes several times its size.
 */
export class AnswerPace {
  readonly #options: AnswerPaceOptions;
  readonly #line = new FairLine<ConnectionBytes, Start>((connection) => connection.isHeavy);
  #fresh: { call: CallBytes; sinceMs: number }[] = [];

  constructor(options: AnswerPaceOptions) {
    this.#options = options;
  }

  /** Where the call has to wait until it may be handled, resolves then. */
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

  /** Of the calls that were begun a moment ago, those that have no answer yet. */
  #countFresh(): number {
    const nowMs = performance.now();
    this.#fresh = this.#fresh.filter(({ call, sinceMs }) => nowMs - sinceMs < FRESH_MS && !call.isAnswered);
    return this.#fresh.length;
  }
}
