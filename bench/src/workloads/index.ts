import { clientWorkloads } from "./clients.ts";
import { createUsers } from "./create-users.ts";
import { latency } from "./latency.ts";
import { memoryWorkloads } from "./memory.ts";
import { rateWorkloads } from "./rates.ts";
import { startup } from "./startup.ts";
import type { Workload } from "./workload.ts";

/** All workloads, in the order in which they run. */
export const workloads: readonly Workload[] = [
  ...rateWorkloads,
  createUsers,
  latency,
  ...memoryWorkloads,
  startup,
  ...clientWorkloads,
];
