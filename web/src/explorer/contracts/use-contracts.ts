import { useEffect, useState } from "react";
import { type Contracts, readContracts } from "./contracts.ts";

export interface ContractsState {
  readonly contracts?: Contracts;
  /** Reason why the contracts that are shown are not the server's own. */
  readonly fault?: unknown;
}

/** Reads the contracts of the server that this page came from, once. */
export function useContracts(): ContractsState & { retry(): void } {
  const [state, setState] = useState<ContractsState>({});
  const [attempt, setAttempt] = useState(0);
  // biome-ignore lint/correctness/useExhaustiveDependencies: each attempt reads anew
  useEffect(() => {
    const controller = new AbortController();
    const set = (next: ContractsState) => !controller.signal.aborted && setState(next);
    load(controller.signal).then(set, (fault) => set({ fault }));
    return () => controller.abort();
  }, [attempt]);
  return { ...state, retry: () => setAttempt((before) => before + 1) };
}

/** @throws if not even the app's own contracts can be loaded. */
async function load(signal: AbortSignal): Promise<ContractsState> {
  try {
    return { contracts: await readContracts(signal) };
  } catch (fault) {
    signal.throwIfAborted();
    return { contracts: (await import("./known-contracts.ts")).knownContracts, fault };
  }
}
