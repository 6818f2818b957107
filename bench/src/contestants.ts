/** API by which a contestant is asked for a user over HTTP/1.1; `rpc` is Connect or gRPC. */
export type Api = "rpc" | "rest" | "trpc";

/** A program that is measured. */
export interface Contestant {
  readonly name: string;
  /** Name in tables and charts. */
  readonly label: string;
  /** A file of `contestants` or `clients`, the server's bundle, or the folder of a Go program. */
  readonly program: string;
  readonly env: Readonly<Record<string, string>>;
  readonly api: Api;
  /** Whether its answers are constant, so that only their form can be checked. */
  readonly isLimit: boolean;
  /** Whether it is Rollcall, whose users are created by calls. */
  readonly isRollcall: boolean;
  /** Whether it exports traces and metrics, to a receiver of the bench. */
  readonly exports?: boolean;
}

const ROLLCALL_BUNDLE = "../../dist/rollcall-server/rollcall-server";
const SAME_WORK = { BENCH_SAME_WORK: "true" };

const contestants = [
  limit("bare-http2", "node:http2, bare", "bare-http2.ts"),
  limit("bare-http2-sha256", "node:http2, bare, SHA-256", "bare-http2.ts", { BENCH_HASHES: "true" }),
  limit("bare-frames-grpc", "hand-made frames, gRPC", "bare-frames.ts", { BENCH_PROTOCOL: "grpc" }),
  limit("bare-frames-connect", "hand-made frames, Connect", "bare-frames.ts", { BENCH_PROTOCOL: "connect" }),
  limit("bare-http", "node:http, bare", "bare-http.ts"),
  limit("bare-ws", "ws, bare", "bare-ws.ts"),
  rollcall("rollcall", "Rollcall", { RPC_ENGINE: "direct" }),
  rollcall("rollcall-memory", "Rollcall, in memory", { RPC_ENGINE: "direct", DATABASE_URL: "sqlite::memory:" }),
  rollcall("rollcall-stock", "Rollcall, stock carrier", { RPC_ENGINE: "stock" }),
  rollcall("rollcall-uncounted", "Rollcall, without metrics", { RPC_ENGINE: "direct", METRICS: "off" }),
  exporting("rollcall-traces-none", "Rollcall, OTLP, no call recorded", "0"),
  exporting("rollcall-traces-some", "Rollcall, OTLP, 10 % of the calls recorded", "0.1"),
  exporting("rollcall-traces-all", "Rollcall, OTLP, each call recorded", "1"),
  ...framework("connect-fastify", "connect-fastify"),
  ...framework("grpc-js", "@grpc/grpc-js"),
  ...framework("nice-grpc", "nice-grpc"),
  ...framework("fastify", "Fastify JSON route", "rest"),
  ...framework("trpc", "tRPC", "trpc"),
  { ...limit("grpc-go", "grpc-go, bare handlers", "grpc-go"), isLimit: false },
  client("bare-http2", "node:http2, nothing parsed"),
  client("bare-http", "node:http, nothing parsed"),
  client("rollcall", "Rollcall's transport"),
  client("rollcall-chain", "Rollcall's client, whole chain"),
  client("grpc-js", "@grpc/grpc-js"),
  client("connect-node", "connect-node"),
];

/** All contestants by their names. */
export const contestantsByName: ReadonlyMap<string, Contestant> = new Map(contestants.map((one) => [one.name, one]));

function limit(name: string, label: string, program: string, env: Contestant["env"] = {}): Contestant {
  return { name, label, program, env, api: "rpc", isLimit: true, isRollcall: false };
}

function rollcall(name: string, label: string, env: Contestant["env"]): Contestant {
  return { name, label, program: ROLLCALL_BUNDLE, env, api: "rpc", isLimit: false, isRollcall: true };
}

/** A client: a file of `clients`. */
function client(name: string, label: string): Contestant {
  return { ...limit(`client-${name}`, label, `${name}.ts`), isLimit: false };
}

/** Creates Rollcall with its telemetry on; `ratio` of the traces is recorded. */
function exporting(name: string, label: string, ratio: string): Contestant {
  return { ...rollcall(name, label, { RPC_ENGINE: "direct", OTEL_TRACES_SAMPLER_ARG: ratio }), exports: true };
}

/** Creates a framework twice: only with its handlers, and with the same work as Rollcall. */
function framework(name: string, label: string, api: Api = "rpc"): Contestant[] {
  const bare = { ...limit(name, `${label}, bare handlers`, `${name}.ts`), api, isLimit: false };
  return [bare, { ...bare, name: `${name}-work`, label: `${label}, same work`, env: SAME_WORK }];
}
