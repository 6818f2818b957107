import { checkLinearizable } from "@rollcall/testing/linearizability/check";
import { UNKNOWN } from "@rollcall/testing/linearizability/model";
import type { UserHistory } from "./history-clients.ts";
import { createUserModel } from "./user-model.ts";

export interface Judgement {
  readonly linearizable: boolean;
  readonly calls: number;
  /** Number of calls that may or may not have taken effect. */
  readonly unknown: number;
  /** Number of concurrent pairs of calls on one island, neighbours in time. Without any, nothing was tested. */
  readonly overlaps: number;
  readonly states: number;
  /** Islands that cannot be explained, each with the point where its possible orders end. */
  readonly contradictions: string[];
}

/** Checks a history island by island. */
export function judge({ operations }: UserHistory): Judgement {
  const ids = new Map<string, string>();
  for (const { output } of operations) {
    const users = typeof output !== "object" ? [] : "id" in output ? [output] : output;
    for (const { name, id } of users) ids.set(name, id);
  }
  const model = createUserModel((name) => ids.get(name));
  const contradictions: string[] = [];
  let states = 0;
  let overlaps = 0;
  for (const [island, calls] of Map.groupBy(operations, ({ input }) => input.island)) {
    const verdict = checkLinearizable(model, calls);
    states += verdict.states;
    const inOrder = calls.toSorted((a, b) => a.calledAt - b.calledAt);
    overlaps += inOrder.filter((call, index) => call.calledAt < (inOrder[index - 1]?.returnedAt ?? 0)).length;
    if (!verdict.linearizable) {
      const [next] = verdict.stuck;
      const last = verdict.order.slice(-3).map(({ input, output }) => [input, String(output)]);
      contradictions.push(JSON.stringify({ island, last, users: [...verdict.state.users.values()], next }));
    }
  }
  return {
    linearizable: contradictions.length === 0,
    calls: operations.length,
    unknown: operations.filter(({ output }) => output === UNKNOWN).length,
    overlaps,
    states,
    contradictions,
  };
}
