import { Code } from "@connectrpc/connect";
import type { CallFacts, CallObserver, Outcome } from "../../rpc/record/call-record.ts";
import { Histogram } from "../../runtime/histogram.ts";
import {
  codeName,
  ERROR_TYPE,
  isServerFault,
  OTHER_METHOD,
  RPC_METHOD,
  RPC_STATUS_CODE,
  RPC_SYSTEM_NAME,
  statusOf,
  systemOf,
} from "../rpc-names.ts";
import type { Metric, Point } from "./metric.ts";

/** Bounds that the conventions recommend for durations of calls, in seconds. */
const DURATION_BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];
/** Most methods that have time series of their own; further ones share one. Rollcall has some twenty. */
const MAX_METHODS = 500;
/** Number of counters: one for each code, and one for success at index 0. */
const CODES = Code.Unauthenticated + 1;

/** Counters of the calls that have one method, one code and one protocol. */
interface Cell {
  readonly protocol: string;
  readonly code: Code | undefined;
  calls: number;
  /** Shared by the protocols of one system. */
  readonly durations: Histogram;
}

/** Counters of one method, by code, for each protocol. */
interface MethodCells {
  readonly grpc: (Cell | undefined)[];
  readonly grpcWeb: (Cell | undefined)[];
  readonly connect: (Cell | undefined)[];
  readonly unknown: (Cell | undefined)[];
}

export interface CallMetrics {
  readonly observe: CallObserver;
  /** Counts a call of an unknown method, which has no record. */
  countUnknownMethod(protocol: string, durationMs: number): void;
  readonly metrics: readonly Metric[];
}

/**
 * Counts calls and their durations by method, protocol and code. The counters of a combination are created when it
 * first occurs, so that a call costs a look-up and three additions.
 */
export function createCallMetrics(): CallMetrics {
  const methods = new Map<string, MethodCells>();
  const cellsOf = (method: string): MethodCells => {
    const known = methods.get(method);
    if (known) return known;
    if (methods.size >= MAX_METHODS && method !== OTHER_METHOD) return cellsOf(OTHER_METHOD);
    const cells: MethodCells = { grpc: codes(), grpcWeb: codes(), connect: codes(), unknown: codes() };
    methods.set(method, cells);
    return cells;
  };
  const count = (method: string, protocol: string | undefined, { code, durationMs }: Outcome) => {
    const cells = methods.get(method) ?? cellsOf(method);
    const byCode = cellsByCode(cells, protocol);
    const index = code ?? 0;
    let cell = byCode[index];
    if (!cell) {
      cell = { protocol: protocol ?? "unknown", code, calls: 0, durations: durationsOf(cells, protocol, index) };
      byCode[index] = cell;
    }
    cell.calls += 1;
    cell.durations.record(durationMs / 1_000);
  };
  return {
    observe: ({ method, protocol }: CallFacts, outcome) => count(method, protocol, outcome),
    countUnknownMethod(protocol, durationMs) {
      count(OTHER_METHOD, protocol, { code: Code.Unimplemented, durationMs });
    },
    metrics: [
      {
        name: "rollcall.calls",
        kind: "counter",
        unit: "{call}",
        description: "Calls that have ended, by method, protocol and code; ok is success",
        *points() {
          for (const [method, { protocol, code, calls }] of each(methods)) {
            yield { attributes: { [RPC_METHOD]: method, protocol, code: codeName(code) }, value: calls };
          }
        },
      },
      {
        name: "rpc.server.call.duration",
        kind: "histogram",
        unit: "s",
        description: "Time from the headers of a call to the end of its answer; of a stream, its life",
        *points() {
          const seen = new Set<Histogram>();
          for (const [method, cell] of each(methods)) {
            if (!seen.has(cell.durations)) yield durationPoint(method, cell);
            seen.add(cell.durations);
          }
        },
      },
    ],
  };
}

function codes(): (Cell | undefined)[] {
  return new Array<Cell | undefined>(CODES).fill(undefined);
}

function cellsByCode(cells: MethodCells, protocol: string | undefined): (Cell | undefined)[] {
  if (protocol === "grpc") return cells.grpc;
  if (protocol === "connect") return cells.connect;
  return protocol === "grpc-web" ? cells.grpcWeb : cells.unknown;
}

/** Returns the histogram of a new cell. gRPC and gRPC-Web share one, since they are one system. */
function durationsOf({ grpc, grpcWeb }: MethodCells, protocol: string | undefined, index: number): Histogram {
  const twin = protocol === "grpc" ? grpcWeb[index] : protocol === "grpc-web" ? grpc[index] : undefined;
  return twin?.durations ?? new Histogram(DURATION_BOUNDS);
}

function* each(methods: ReadonlyMap<string, MethodCells>): Iterable<readonly [method: string, cell: Cell]> {
  for (const [method, cells] of methods) {
    for (const cell of Object.values(cells).flat() as (Cell | undefined)[]) if (cell) yield [method, cell];
  }
}

function durationPoint(method: string, { protocol, code, durations }: Cell): Point<Histogram> {
  const system = systemOf(protocol === "unknown" ? undefined : protocol);
  const status = statusOf(system, code);
  return {
    attributes: {
      [RPC_SYSTEM_NAME]: system,
      [RPC_METHOD]: method,
      [RPC_STATUS_CODE]: status,
      ...(isServerFault(code) && { [ERROR_TYPE]: status }),
    },
    value: durations,
  };
}
