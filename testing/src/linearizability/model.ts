/** Outcome that nobody knows: the call's answer was lost, so it may take effect at any later time, or never. */
export const UNKNOWN: unique symbol = Symbol("unknown outcome");

/** One call of a history. Times are any numbers that grow with real time. */
export interface Operation<Input, Output> {
  readonly client: number;
  readonly input: Input;
  readonly output: Output | typeof UNKNOWN;
  readonly calledAt: number;
  /** Infinity for an unknown outcome. */
  readonly returnedAt: number;
}

/** Behaviour of one object if its operations come one after the other. States are immutable. */
export interface Model<State, Input, Output> {
  readonly initial: State;
  /**
   * Returns the state after the operation, or undefined if it can't have that output in this state. If the outcome is
   * unknown, returns the state that follows if the operation takes effect; it is the same object if nothing changes.
   */
  step(state: State, input: Input, output: Output | typeof UNKNOWN): State | undefined;
  /** Returns a text that is the same only for equal states. */
  keyOf(state: State): string;
}
