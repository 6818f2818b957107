import type { DatabaseFault } from "./errors.ts";

/** Why a service can't serve. `reason` is for anyone who asks, `error` for the log alone. */
export interface NotReady {
  readonly reason: "draining" | DatabaseFault;
  readonly error?: unknown;
}
