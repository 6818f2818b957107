import { type Checked, checkReplies } from "../check-replies.ts";
import type { Contestant } from "../contestants.ts";
import type { Context } from "../context.ts";
import { type Load, type LoadResult, runH2load } from "../h2load.ts";
import { cpuMicrosEach } from "../process-stats.ts";
import { type Request, Requests, type Wire } from "../requests.ts";
import { seedUsers } from "../seed-users.ts";
import { startTarget, type Target } from "../target.ts";
import { cpuMetric, type Session, type Workload } from "./workload.ts";

/** Calls in flight of unary workloads: `CONNECTIONS` times `STREAMS`. */
const CONNECTIONS = 4;
const STREAMS = 16;

/** A workload that h2load drives. */
export interface RateOptions {
  readonly name: string;
  readonly title: string;
  /** Unit that is counted, in the plural and in the singular. Default `calls` and `call`. */
  readonly unit?: readonly [string, string];
  readonly contestants: readonly string[];
  /** The contestant that is the limit of node:http2. Default `bare-http2`. */
  readonly limit?: string;
  readonly call: Checked;
  /** Default gRPC. */
  readonly wire?: Wire;
  readonly usesTls?: boolean;
  /** Replaces Rollcall's bundle. */
  readonly rollcallProgram?: string;
  /** Writes what each call sends. */
  request(requests: Requests, userId: string, contestant: Contestant, wire: Wire): Request;
  /** Returns the number of units in a run. Default: its calls. */
  unitsOf?(result: LoadResult): number;
  /**
   * Calls of a first, untimed run. For calls that are so long that a round has only a few: each round then has as many
   * as fit into its time, and all of them end. Default: rounds are cut off when their time is over.
   */
  readonly trialCalls?: number;
  /** Connections, and calls in flight on each. Default 4 with 16 each. */
  readonly inFlight?: readonly [number, number];
  /** Further arguments for Node.js. */
  readonly nodeArgs?: readonly string[];
}

/** A contestant under h2load. */
export interface LoadedTarget extends AsyncDisposable {
  readonly target: Target;
  run(extra?: Partial<Pick<Load, "bound" | "perSecond" | "logFile">>): Promise<LoadResult>;
}

/** Creates a workload that counts what h2load achieves in a round. */
export function createRateWorkload(options: RateOptions): Workload {
  const { unit: [units, singular] = ["calls", "call"], unitsOf = ({ calls }) => calls } = options;
  return {
    name: options.name,
    title: options.title,
    metrics: [
      { name: "perSecond", title: `${units}/s`, unit: `${units}/s`, digits: 0, isRate: true },
      cpuMetric(singular),
    ],
    contestants: options.contestants,
    limit: options.limit,
    needsH2load: true,
    open: async (context, contestant) => createRateSession(await openLoaded(context, contestant, options), unitsOf),
  };
}

/** Starts a contestant, checks its answers, and runs the load for a round to warm it up. */
export async function openLoaded(
  context: Context,
  contestant: Contestant,
  options: RateOptions,
): Promise<LoadedTarget> {
  const wire = wireFor(options.wire ?? "grpc", contestant);
  const httpVersion = wire === "connect-json-h1" ? "1.1" : "2";
  const program = contestant.isRollcall ? options.rollcallProgram : undefined;
  const { usesTls, nodeArgs } = options;
  const target = await startTarget(context, contestant, { httpVersion, program, usesTls, nodeArgs });
  try {
    const requests = new Requests(context.folder, context.token);
    const userId = await seedUsers(target);
    await checkReplies(target, options.call, wire, requests, userId);
    const { path, isHttp1, ...request } = options.request(requests, userId, contestant, wire);
    const [connections, streams] = options.inFlight ?? [CONNECTIONS, STREAMS];
    const load = (bound: Load["bound"], extra?: Partial<Load>) =>
      runH2load({
        ...request,
        ...extra,
        isHttp1,
        bound,
        url: `${target.url}${path}`,
        connections: isHttp1 ? connections * streams : connections,
        streams: isHttp1 ? 1 : streams,
      });
    const { seconds, warmUpSeconds } = context.options;
    let bound: Load["bound"] = { seconds };
    if (options.trialCalls === undefined) await load({ seconds: warmUpSeconds });
    else {
      await load({ calls: options.trialCalls });
      const trial = await load({ calls: options.trialCalls });
      bound = { calls: Math.ceil((trial.calls / trial.seconds) * seconds) };
    }
    const run: LoadedTarget["run"] = (extra) => load(extra?.bound ?? bound, extra);
    return { target, run, [Symbol.asyncDispose]: () => target[Symbol.asyncDispose]() };
  } catch (error) {
    await target[Symbol.asyncDispose]();
    throw error;
  }
}

function createRateSession(loaded: LoadedTarget, unitsOf: (result: LoadResult) => number): Session {
  const { pid } = loaded.target;
  return {
    async measure() {
      const { result, units, cpuMicros } = await cpuMicrosEach(pid, () => loaded.run(), unitsOf);
      return { perSecond: units / result.seconds, cpuMicros };
    },
    [Symbol.asyncDispose]: () => loaded[Symbol.asyncDispose](),
  };
}

/** Returns the protocol for a contestant: bare node:http2 is a limit of HTTP/1.1 workloads too, over gRPC. */
function wireFor(wire: Wire, { name }: Contestant): Wire {
  return wire === "connect-json-h1" && name === "bare-http2" ? "grpc" : wire;
}
