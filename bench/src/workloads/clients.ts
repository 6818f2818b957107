import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import type { ClientCall, ClientResult } from "../../clients/measure.ts";
import { STREAM_MESSAGES } from "../../contestants/shared/settings.ts";
import { seededUsers, seedOf } from "../../contestants/shared/users.ts";
import { type Contestant, contestantsByName } from "../contestants.ts";
import type { Context } from "../context.ts";
import { onLoadCore } from "../cores.ts";
import { CHAT_MESSAGES } from "../requests.ts";
import { startTarget } from "../target.ts";
import { cpuMetric, type Session, type Workload } from "./workload.ts";

/** Returns the server that the clients call. Its answers are constant, so that only the client is measured. */
function serverFor({ call, protocol, httpVersion }: Pick<ClientOptions, "call" | "protocol" | "httpVersion">): string {
  if (httpVersion === "1.1") return "bare-http";
  return call === "getUser" ? `bare-frames-${protocol}` : "bare-http2";
}

const CALLERS = [
  "client-bare-http2",
  "client-rollcall",
  "client-rollcall-chain",
  "client-grpc-js",
  "client-connect-node",
];
const CONNECT_CALLERS = ["client-rollcall", "client-rollcall-chain", "client-connect-node"];
const STREAMERS = ["client-rollcall", "client-rollcall-chain", "client-grpc-js", "client-connect-node"];
const runFile = promisify(execFile);

interface ClientOptions {
  readonly name: string;
  readonly title: string;
  readonly call: ClientCall;
  readonly protocol: "grpc" | "connect";
  /** Default "2". */
  readonly httpVersion?: "1.1" | "2";
  readonly contestants: readonly string[];
  readonly unit: readonly [units: string, singular: string];
  /** Result that the first call must have. */
  readonly expected: string | number;
}

const CALLS = ["calls", "call"] as const;
const MESSAGES = ["messages", "message"] as const;

/** Workloads whose contestants are clients. Each is a process on the load's core, and all call the same server. */
export const clientWorkloads: readonly Workload[] = [
  createClientWorkload({
    name: "client-get-grpc",
    title: "Clients: GetUser, gRPC over h2c, 64 in flight",
    call: "getUser",
    protocol: "grpc",
    contestants: CALLERS,
    unit: CALLS,
    expected: seedOf(0).name,
  }),
  createClientWorkload({
    name: "client-get-connect",
    title: "Clients: GetUser, Connect protobuf over h2c, 64 in flight",
    call: "getUser",
    protocol: "connect",
    contestants: ["client-bare-http2", ...CONNECT_CALLERS],
    unit: CALLS,
    expected: seedOf(0).name,
  }),
  createClientWorkload({
    name: "client-get-connect-http1",
    title: "Clients: GetUser, Connect protobuf over HTTP/1.1, 64 connections",
    call: "getUser",
    protocol: "connect",
    httpVersion: "1.1",
    contestants: ["client-bare-http", ...CONNECT_CALLERS],
    unit: CALLS,
    expected: seedOf(0).name,
  }),
  createClientWorkload({
    name: "client-server-stream",
    title: "Clients: server streams, gRPC, 8 at once",
    call: "serverStream",
    protocol: "grpc",
    contestants: STREAMERS,
    unit: MESSAGES,
    expected: STREAM_MESSAGES,
  }),
  createClientWorkload({
    name: "client-bidi",
    title: "Clients: bidirectional stream, gRPC, messages pipelined",
    call: "bidirectionalStream",
    protocol: "grpc",
    contestants: STREAMERS,
    unit: MESSAGES,
    expected: CHAT_MESSAGES,
  }),
];

function createClientWorkload({
  name,
  title,
  contestants,
  unit: [units, singular],
  ...options
}: ClientOptions): Workload {
  return {
    name,
    title,
    metrics: [
      { name: "perSecond", title: `${units}/s`, unit: `${units}/s`, digits: 0, isRate: true },
      cpuMetric(singular),
    ],
    contestants,
    limit: "client-bare-http2",
    httpLimit: "client-bare-http",
    needsH2load: false,
    open: (context, contestant) => openClient(context, contestant, options),
  };
}

async function openClient(
  context: Context,
  contestant: Contestant,
  options: Pick<ClientOptions, "call" | "protocol" | "httpVersion" | "expected">,
): Promise<Session> {
  const { call, protocol, httpVersion = "2", expected } = options;
  const server = contestantsByName.get(serverFor(options));
  if (!server) throw new Error(`${serverFor(options)} is no contestant`);
  const target = await startTarget(context, server);
  const { seconds, warmUpSeconds } = context.options;
  const args = [
    join(import.meta.dirname, "../../clients", contestant.program),
    ...["--url", target.url, "--token", context.token, "--user", seededUsers()[0]?.id ?? ""],
    ...["--call", call, "--protocol", protocol, "--http", httpVersion],
    ...["--seconds", String(seconds), "--warm-up", String(warmUpSeconds)],
  ];
  return {
    async measure() {
      const { stdout } = await runFile(...onLoadCore(process.execPath, args));
      const { units, seconds: took, cpuMicros, answer } = JSON.parse(stdout) as ClientResult;
      if (answer !== expected) throw new Error(`${contestant.name} has read ${answer} instead of ${expected}`);
      return { perSecond: units / took, cpuMicros };
    },
    [Symbol.asyncDispose]: () => target[Symbol.asyncDispose](),
  };
}
