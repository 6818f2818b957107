import type { Registry } from "@bufbuild/protobuf";
import type { ConnectRouter } from "@connectrpc/connect";
import type { Logger } from "pino";
import type {
  ChangeRetentionOptions,
  ConnectionLimits,
  GrpcWebSocketsLimits,
  OpenStreamLimits,
  RequestTimeouts,
} from "./limits.ts";
import type { UserRepository } from "./repository/user-repository.ts";
import type { Permissions } from "./rpc/auth/permissions.ts";
import type { RateLimitOptions } from "./rpc/auth/rate-limits.ts";
import type { StreamLimitOptions } from "./rpc/auth/stream-limits.ts";
import type { TokenVerifier } from "./rpc/auth/token-verifier.ts";
import type { StreamsOptions } from "./service/streams.ts";
import type { LogOutput } from "./telemetry/access-log.ts";
import type { MetricsExchange } from "./telemetry/metrics/merge-metrics.ts";
import type { OtlpOptions } from "./telemetry/otlp/options.ts";
import type { AdmissionLimits } from "./transport/admission/admission.ts";
import type { MetricsReaders } from "./transport/fastify/metrics-page.ts";
import type { SignInOptions } from "./transport/fastify/serve-web-app.ts";
import type { TlsOptions } from "./transport/port/servers.ts";

/** Options of the app. Numbers that are not set have the defaults of `limits.ts`. */
export interface AppOptions {
  /**
   * Verifies tokens. False lets everybody in: for tests, and for hosts that authenticate callers themselves.
   *
   * Such a host may trust headers that its proxy sets. Beware: a WebSocket carries the headers of its call in-band,
   * past the proxy. The usual proxy headers are taken from the upgrade request alone
   * (`transport/grpc-websockets/header.ts`), but a page can set any other header to any value.
   */
  auth: TokenVerifier | false;
  /** Storage of users; the app closes it. Default: in memory. */
  repository?: UserRepository | undefined;
  /** Mounts further Connect services, behind the same gate and interceptors. */
  routes?: ((router: ConnectRouter) => void) | undefined;
  /**
   * Permissions of the further services' methods, by `package.Service/Method`, where their contract has no option
   * `rollcall.options.v1.auth`; a method with neither is denied, and a method with both stops the start. Methods of health
   * and reflection may be listed too, to close them.
   */
  permissions?: Permissions | undefined;
  /** Whether to check requests against the rules in their contract. Default true. */
  validation?: boolean | undefined;
  /** Default `localhost`: both loopback families. */
  host?: string | undefined;
  /** Default 0: any free port. */
  port?: number | undefined;
  /**
   * A second port that serves only probes, health checks and metrics, always in plaintext; 0 for any free one. It
   * closes last. Default: none.
   */
  probePort?: number | undefined;
  /**
   * Lets further processes listen on the same port; the operating system spreads connections among them. Default false.
   */
  reusePort?: boolean | undefined;
  /** Serves TLS instead of plaintext. */
  tls?: TlsOptions | undefined;
  /** Largest message that a client may send, in bytes, before and after decompression. Answers have no such limit. */
  maxMessageBytes?: number | undefined;
  /** Carrier of calls: "direct" is the engine, "stock" Connect's own carrier, for comparison. Default "direct". */
  rpcEngine?: "direct" | "stock" | undefined;
  /** Large messages that are inflated or deflated at the same time. Default: the number of cores minus one. */
  codingThreads?: number | undefined;
  /** Deadline of a unary call whose client sets none, in milliseconds. */
  defaultTimeoutMs?: number | undefined;
  /** Longest time of any call, in milliseconds, up to 2^31 - 1. */
  maxTimeoutMs?: number | undefined;
  /** Unary calls in flight in the process; more are refused with unavailable. 16 times as many streams may be open. */
  maxCalls?: number | undefined;
  /** Limits on calls by their callers. Default: none. */
  rateLimit?: RateLimitOptions | undefined;
  /** Limits on the streams of a principal. Default: none. */
  streamLimit?: Partial<StreamLimitOptions> | undefined;
  /**
   * Time for which `close` only reports that the server is not ready, so that load balancers stop sending requests. In
   * milliseconds.
   */
  shutdownDelayMs?: number | undefined;
  /** Time that `close` then gives open calls to finish, in milliseconds. */
  shutdownGraceMs?: number | undefined;
  /** Origins whose pages may call, exactly as a browser sends them. Default: only the server's own. */
  corsOrigins?: readonly string[] | undefined;
  /** Types that JSON needs to read and write google.protobuf.Any. */
  jsonRegistry?: Registry | undefined;
  /**
   * Callers that may read the contracts by gRPC's reflection: everybody, callers with any token, or nobody. Default: "open" where
   * the host is `localhost`, else "off".
   */
  reflection?: "open" | "token" | "off" | undefined;
  /**
   * Whether everybody may read the description of the services: `/openapi.json`, `/docs` and `/llms.txt`. Default: where
   * the host is `localhost`.
   */
  docs?: boolean | undefined;
  /**
   * Comments of the further services' contracts for the docs, by the full names of their subjects, such as
   * `example.v1.Example.name`. Generated code has none.
   */
  comments?: Readonly<Record<string, string>> | undefined;
  streams?: StreamsOptions | undefined;
  /**
   * Settings of the change feed: how long and how many changes of users are kept, how often a quiet watcher is sent its
   * progress, how many changes a watcher may be behind, and how often that lag is measured.
   */
  changes?:
    | Partial<ChangeRetentionOptions & { progressIntervalMs: number; maxLag: number; lagIntervalMs: number }>
    | undefined;
  limits?: Partial<ConnectionLimits> | undefined;
  /** Pace at which calls are admitted, and their limits beside maxCalls. */
  admission?: Partial<Omit<AdmissionLimits, "maxCalls">> | undefined;
  timeouts?: Partial<RequestTimeouts> | undefined;
  openStreams?: Partial<OpenStreamLimits> | undefined;
  webSockets?: Partial<GrpcWebSocketsLimits> | undefined;
  /**
   * Most log lines a second about refused requests, and as many about refused WebSockets. Further refusals are only
   * counted, and their number is logged.
   */
  refusedLinesPerSecond?: number | undefined;
  /** Folder of the built web app; none is served when undefined. */
  webRoot?: string | undefined;
  /** How people sign in to the web app. Default: with a token. */
  signIn?: SignInOptions | undefined;
  /**
   * Callers that may read `/metrics`: "loopback" are those on this machine that come through no proxy. With "off" calls
   * are counted for `otlp` only. Default "loopback".
   */
  metrics?: MetricsReaders | undefined;
  /** Shares `/metrics` with further processes that serve the same port. Default: the page shows this process alone. */
  metricsExchange?: MetricsExchange | undefined;
  /** Exports traces and metrics by OTLP. Default: none. */
  otlp?: OtlpOptions | undefined;
  /** Default: silent. */
  logger?: Logger | undefined;
  /** Destination of the logger's lines. If it is set, the access log writes to it directly, which costs less. */
  logOutput?: LogOutput | undefined;
  /** Returns milliseconds since the Unix epoch. */
  now?: (() => number) | undefined;
}

export interface App {
  /** Starts to listen. @throws ListenError if the port is in use, and the like. */
  listen(): Promise<ListeningAddress>;
  /**
   * Gives a server with TLS other certificates. New handshakes use them; open connections stay as they are.
   *
   * @throws PemError or OpenSSL's error when they can't be used; the old ones then stay in use.
   */
  replaceTls(tls: TlsOptions): void;
  /**
   * Drains and closes the server.
   *
   * 1. It reports that it is not ready.
   * 2. After the delay it takes no new connections and sends GOAWAY.
   * 3. Open calls finish; those still open after the grace end with unavailable.
   * 4. The port for probes is closed, and then the repository.
   * 5. Traces and metrics that are left are exported, in what is left of the grace and a second.
   */
  close(): Promise<void>;
}

export interface ListeningAddress {
  readonly port: number;
  /** Address of the server, such as `http://localhost:8080`. */
  readonly url: string;
  /** Address of the port for probes, if there is one. */
  readonly probeUrl: string | undefined;
}
