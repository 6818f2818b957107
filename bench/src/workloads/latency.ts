import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { contestantsByName } from "../contestants.ts";
import type { Context } from "../context.ts";
import { percentile } from "../statistics.ts";
import { openLoaded } from "./rate.ts";
import { getGrpc } from "./rates.ts";
import type { Workload } from "./workload.ts";

const latencyMetric = (name: string, title: string) => ({ name, title, unit: "ms", digits: 2 });
/** Factor by which rounds are longer than those of other workloads: a thousandth of the calls must still be many. */
const ROUND_FACTOR = 2;
/** Rollcall's rate in each run, measured once before the first contestant. */
const peaks = new WeakMap<Context, Promise<number>>();

export const latency: Workload = {
  name: "latency",
  title: "Latency of GetUser, gRPC over h2c, at half of Rollcall's peak rate",
  metrics: [
    { name: "perSecond", title: "calls/s", unit: "calls/s", digits: 0 },
    latencyMetric("p50Ms", "p50 ms"),
    latencyMetric("p99Ms", "p99 ms"),
    latencyMetric("p999Ms", "p99.9 ms"),
  ],
  contestants: [
    "bare-http2",
    "rollcall",
    "rollcall-stock",
    "connect-fastify-work",
    "grpc-js",
    "grpc-js-work",
    "grpc-go",
  ],
  needsH2load: true,
  async open(context, contestant) {
    const peak = peaks.get(context) ?? measurePeak(context);
    peaks.set(context, peak);
    const perSecond = (await peak) / 2;
    const loaded = await openLoaded(context, contestant, getGrpc);
    const logFile = join(context.folder, `latency-${contestant.name}.tsv`);
    return {
      async measure() {
        rmSync(logFile, { force: true });
        const bound = { seconds: context.options.seconds * ROUND_FACTOR };
        const { calls, seconds } = await loaded.run({ bound, perSecond, logFile });
        const latenciesMs = readLatenciesMs(readFileSync(logFile, "utf8"));
        return {
          perSecond: calls / seconds,
          p50Ms: percentile(latenciesMs, 50),
          p99Ms: percentile(latenciesMs, 99),
          p999Ms: percentile(latenciesMs, 99.9),
        };
      },
      [Symbol.asyncDispose]: () => loaded[Symbol.asyncDispose](),
    };
  },
};

/** Measures Rollcall's peak rate on its own, in one round. */
async function measurePeak(context: Context): Promise<number> {
  const rollcall = contestantsByName.get("rollcall");
  if (!rollcall) throw new Error("Rollcall is no contestant");
  await using loaded = await openLoaded(context, rollcall, getGrpc);
  const { calls, seconds } = await loaded.run();
  return calls / seconds;
}

/** Reads h2load's log: start, status and duration in microseconds, separated by tabs. */
function readLatenciesMs(log: string): number[] {
  const lines = log.split("\n").filter((line) => line !== "");
  return lines.map((line) => Number(line.split("\t")[2]) / 1_000);
}
