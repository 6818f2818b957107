import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { onLoadCore } from "./cores.ts";

export const H2LOAD_IS_MISSING =
  "h2load is not on this machine: install it by `apt-get install nghttp2-client` (Debian, Ubuntu) or `brew install nghttp2`. Workloads that need it are left out.";

/** Load that h2load makes. */
export interface Load {
  readonly url: string;
  readonly connections: number;
  /** Calls in flight on each connection. */
  readonly streams: number;
  /** Duration of the load, or number of calls. */
  readonly bound: { readonly seconds: number } | { readonly calls: number };
  readonly headers: Readonly<Record<string, string>>;
  /** File with the request's body; without it, the request is a GET. */
  readonly bodyFile?: string | undefined;
  readonly isHttp1?: boolean | undefined;
  /** Most calls a second, over all connections. */
  readonly perSecond?: number | undefined;
  /** File that gets a line for each call. */
  readonly logFile?: string | undefined;
}

export interface LoadResult {
  readonly calls: number;
  readonly seconds: number;
  /** Bytes of answers' bodies. */
  readonly dataBytes: number;
}

const runFile = promisify(execFile);

/** Runs h2load on the load's core. @throws Error when an answer's status is not 2xx, or a call fails. */
export async function runH2load(load: Load): Promise<LoadResult> {
  const { url, connections, streams, bound, headers, bodyFile, isHttp1, perSecond, logFile } = load;
  const args = [
    `-c${connections}`,
    `-m${streams}`,
    "seconds" in bound ? `-D${bound.seconds * 1_000}ms` : `-n${bound.calls}`,
  ];
  for (const [name, value] of Object.entries(headers)) args.push("-H", `${name}: ${value}`);
  if (bodyFile !== undefined) args.push("-d", bodyFile);
  if (isHttp1) args.push("--h1");
  if (perSecond !== undefined) args.push(`--rps=${(perSecond / connections).toFixed(2)}`);
  if (logFile !== undefined) args.push(`--log-file=${logFile}`);
  const { stdout } = await runFile(...onLoadCore("h2load", [...args, url]));
  return parseH2load(stdout);
}

/** Parses the output of h2load. @throws Error when calls have failed, or the output is not h2load's. */
export function parseH2load(output: string): LoadResult {
  const time = /^finished in ([\d.]+)(us|ms|s),/m.exec(output);
  const counts = /^requests: .* (\d+) succeeded, (\d+) failed, (\d+) errored/m.exec(output);
  const traffic = /^traffic: .*\((\d+)\) data/m.exec(output);
  if (!time || !counts || !traffic) throw new Error(`h2load has printed something else:\n${output}`);
  const [calls = 0, failed = 0] = counts.slice(1).map(Number);
  if (failed > 0) throw new Error(`calls have failed:\n${output}`);
  const seconds = Number(time[1]) / ({ us: 1e6, ms: 1e3 }[time[2] ?? ""] ?? 1);
  return { calls, seconds, dataBytes: Number(traffic[1]) };
}
