import { type Operation, UNKNOWN } from "./model.ts";

/**
 * Returned for a call that certainly had no effect, such as one that was never sent. It leaves no trace in the history.
 */
export const NEVER: unique symbol = Symbol("never happened");

/** Records the calls of concurrent clients in one process. */
export class History<Input, Output> {
  readonly operations: Operation<Input, Output>[] = [];
  #clock = 0;

  /** Makes a call and records it. Returns its output. */
  async record(
    client: number,
    input: Input,
    call: () => Promise<Output | typeof UNKNOWN | typeof NEVER>,
  ): Promise<Output | typeof UNKNOWN | typeof NEVER> {
    const calledAt = ++this.#clock;
    const output = await call();
    if (output === NEVER) return output;
    const returnedAt = output === UNKNOWN ? Number.POSITIVE_INFINITY : ++this.#clock;
    this.operations.push({ client, input, output, calledAt, returnedAt });
    return output;
  }
}
