import { setTimeout as delay } from "node:timers/promises";
import { residentBytesOf } from "../process-stats.ts";
import { startTarget } from "../target.ts";
import type { Workload } from "./workload.ts";

/** Time after which the memory that only the start needed has been freed, in milliseconds. */
const SETTLE_MS = 1_000;

export const startup: Workload = {
  name: "startup",
  title: "Start, to the first open connection; memory a second later",
  metrics: [
    { name: "startMs", title: "start ms", unit: "ms", digits: 0 },
    { name: "residentMb", title: "memory MB", unit: "MB", digits: 1 },
  ],
  contestants: [
    "bare-http2",
    "rollcall",
    "rollcall-stock",
    "connect-fastify",
    "grpc-js",
    "nice-grpc",
    "fastify",
    "trpc",
    "grpc-go",
  ],
  needsH2load: false,
  async open(context, contestant) {
    return {
      async measure() {
        await using target = await startTarget(context, contestant);
        await delay(SETTLE_MS);
        const residentBytes = residentBytesOf(target.pid);
        return { startMs: target.startMs, residentMb: residentBytes && residentBytes / 1e6 };
      },
      async [Symbol.asyncDispose]() {},
    };
  },
};
