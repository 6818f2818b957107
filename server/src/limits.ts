import { BlockList } from "node:net";
import { MAX_TIMER_MS } from "@rollcall/shared/max-timer-ms";
import type { Setting } from "@rollcall/shared/settings/reader";

/*
 * Every default and limit that clients or operators can notice, each once. `config.ts` and
 * `app.ts` read them here, and a test holds the tables of the docs equal to them. Numbers that
 * only tune a mechanism, such as the size of a chunk, stand beside the code that uses them.
 */

const KIB = 1_024;
const MIB = 1_024 * KIB;
const GIB = 1_024 * MIB;
const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** Numbers that the environment sets, by the variable's name in camel case. */
export const settings = {
  port: { byDefault: 8_080, min: 0, max: 65_535 },
  /** Port for probes, health checks and metrics alone; 0 for none. */
  probePort: { byDefault: 0, min: 0, max: 65_535 },
  /** Processes that serve the port. */
  workers: { byDefault: 1, min: 1, max: 128 },
  /** Largest message that a client sends, before and after decompression. */
  maxMessageBytes: { byDefault: 4 * MIB, min: KIB, max: GIB },
  /** Largest upload, all chunks together. */
  maxUploadBytes: { byDefault: 16 * GIB, min: 0, max: Number.MAX_SAFE_INTEGER },
  /** Deadline of a unary call whose client sets none. */
  defaultTimeoutMs: { byDefault: 30 * SECOND_MS, min: 1, max: MAX_TIMER_MS },
  /** Longest deadline of any call. */
  maxTimeoutMs: { byDefault: HOUR_MS, min: 1, max: MAX_TIMER_MS },
  /**
   * Unary calls in flight in the process. That is enough to keep it busy with calls that wait for a database. It is
   * also few enough that calls that compute are answered within about a second.
   */
  maxCalls: { byDefault: 1_024, min: 1, max: 1_000_000 },
  /**
   * Connections of this process to PostgreSQL. Each costs the server a process and some 10 MB; all replicas together
   * need fewer than its `max_connections`, which is 100 by default.
   */
  databaseConnections: { byDefault: 16, min: 2, max: 1_000 },
  /**
   * Longest time that a call waits for PostgreSQL. Its waits for a connection, a lock and an answer each get a share of
   * it.
   */
  databaseTimeoutMs: { byDefault: SECOND_MS, min: 100, max: MINUTE_MS },
  /** Open connections from one address: a quarter of all, for clients that share one behind a NAT. */
  maxConnectionsPerAddress: { byDefault: 1_024, min: 1, max: 1_000_000 },
  /** Calls a second of each principal, and of each address among calls without a good token; 0 for no limit. */
  rateLimitPerSecond: { byDefault: 0, min: 0, max: 1_000_000 },
  /** Calls that may come together after a pause; 0 for as many as in two seconds. */
  rateLimitBurst: { byDefault: 0, min: 0, max: 1_000_000 },
  /** Streams of one principal that may be open at the same time; 0 for no limit. */
  maxStreamsPerPrincipal: { byDefault: 0, min: 0, max: 1_000_000 },
  /** Messages a second that one principal may send in all its streams; 0 for no limit. */
  streamMessagesPerSecond: { byDefault: 0, min: 0, max: 1_000_000 },
  /**
   * Age at which a connection takes no further calls, give or take a tenth, so that clients find new servers behind a load
   * balancer; 0 for none.
   */
  maxConnectionAgeMs: { byDefault: 0, min: 0, max: DAY_MS },
  /**
   * Time for which a stopping server only reports that it is not ready, so that load balancers stop sending requests.
   */
  shutdownDelayMs: { byDefault: 0, min: 0, max: HOUR_MS },
  /** Time that open calls then have to finish. */
  shutdownGraceMs: { byDefault: 10 * SECOND_MS, min: 0, max: HOUR_MS },
  /**
   * Time for which the last good keys stay valid beyond their own lifetime if new ones can't be fetched. The default is
   * about the lifetime of a token. At most a week, since a withdrawn key may be accepted for as long.
   */
  authJwksMaxStaleMs: { byDefault: HOUR_MS, min: 0, max: 7 * DAY_MS },
  /** Time for which changes are kept, in milliseconds: to be listed, and for watchers to resume from. */
  changesRetention: { byDefault: 7 * DAY_MS, min: MINUTE_MS, max: 10 * 365 * DAY_MS },
  /** Changes that are kept at most: some 500 bytes each. */
  changesMaxCount: { byDefault: 1_000_000, min: 1_000, max: 1_000_000_000 },
} satisfies Record<string, Setting>;

/** How long the log of changes is kept; `AppOptions.changes` sets it. */
export const defaultChangeRetention = {
  retentionMs: settings.changesRetention.byDefault,
  maxCount: settings.changesMaxCount.byDefault,
};
export type ChangeRetentionOptions = typeof defaultChangeRetention;

/** Limits on what connections may take up; `AppOptions.limits` sets them. */
export const defaultConnectionLimits = {
  /** Open connections on one listening address; further ones are closed at once. */
  maxConnections: 4_096,
  /** Open connections from one address, an IPv6 address counting as its /64; further ones are closed at once. */
  maxConnectionsPerAddress: settings.maxConnectionsPerAddress.byDefault,
  /** Age at which a connection takes no further calls; those in flight finish. 0 for no limit. */
  maxConnectionAgeMs: settings.maxConnectionAgeMs.byDefault,
  /** Proxies, whose connections carry many clients. Limits by address do not apply to them. */
  trustedProxies: new BlockList(),
  /** Whether connections of these proxies begin with the PROXY protocol, which names their clients. */
  proxyProtocol: false,
  /**
   * Bytes that the calls of one connection may hold: incomplete requests, and answers that are not sent yet. Above it
   * the connection starts no further call, and calls that make no progress are ended.
   */
  maxConnectionBytes: 8 * MIB,
  /** The same for all connections together. */
  maxHeldBytes: 256 * MIB,
  /**
   * Tiny pieces of a body, such as HTTP/2 frames, that follow another tiny one; less than {@link TINY_PIECE_BYTES} is
   * tiny. They are counted by connection or, until the gate has let one of its calls in, by address. Above the limit
   * the connection is closed. No honest client cuts a body like that, and each piece costs much more than its bytes. A
   * single tiny piece is normal: a whole body such as `{}`, or the end of a message that a full frame begins.
   */
  tinyPieces: { burst: 4_096, perSecond: 2_048 },
  /**
   * Streams that are reset on connections before the gate has let in one of their calls, counted by address. Above the
   * limit, the next connection that resets one is closed. The burst lets a client drop all its calls while they wait
   * for its identity provider, and do so again a second later.
   */
  strangerResets: { burst: 512, perSecond: 256 },
  /**
   * Bytes of HTTP/2 headers, decompressed, on connections whose calls the gate has not let in yet, beyond {@link
   * FREE_HEADER_BYTES} of each request. The burst is 256 simultaneous calls with tokens of 4 KiB.
   */
  strangerHeaderBytes: { burst: MIB, perSecond: 512 * KIB },
  /** Open streams on one HTTP/2 connection, and requests that wait on one HTTP/1.1 connection. */
  maxConcurrentStreams: 256,
  /** Bytes of a request line and headers, or of an HTTP/2 header list. */
  maxHeaderBytes: 16 * KIB,
  /** Time for a TLS handshake, for the first request to come, and for a header once it has begun. */
  handshakeTimeoutMs: 10 * SECOND_MS,
  /**
   * Shortest time between two PINGs on an otherwise quiet connection: half of the shortest interval that gRPC's clients
   * may choose.
   */
  minPingIntervalMs: 5 * SECOND_MS,
  /**
   * Control bytes over HTTP/2, that is all but headers and bodies, counted by address. Half of the bytes that the
   * server sends are free, and so are the bytes that the frames of bodies cost. Above the limit, connections that send
   * more are closed, and the address gets no new one until its debt is paid off. Without a limit by address, a hundred
   * connections that are reopened whenever they are closed would make others wait for a hundred reads of 2 MiB in each
   * turn.
   */
  controlBytes: { burst: 4 * MIB, perSecond: 512 * KIB },
  /** Time for which a connection without a request stays open. */
  idleTimeoutMs: 2 * MINUTE_MS,
  /**
   * Time without a request after which a stopping server closes an HTTP/1.1 connection: many times the pause that a
   * client makes between an answer and its next request.
   */
  idleBeforeCloseMs: 500,
};
export type ConnectionLimits = typeof defaultConnectionLimits;

/** Limits on the time that a peer may take to send a request or to read its answer; `AppOptions.timeouts` sets them. */
export const defaultRequestTimeouts = {
  /** Time for the whole body of a request with one message. */
  bodyTimeoutMs: 30 * SECOND_MS,
  /** Time between two parts of an upload, and between two reads of an answer. */
  stallTimeoutMs: MINUTE_MS,
};
export type RequestTimeouts = typeof defaultRequestTimeouts;

/** Pace at which calls start, and limits on those that wait; `AppOptions.admission` sets them. */
export const defaultAdmissionLimits = {
  /** Unary calls in flight at first, before the server knows how long they take. */
  window: 64,
  /** Longest turn of the event loop that does not slow down the start of calls. */
  maxTurnMs: 20,
  /**
   * Delay of timers that counts as overload if all of them are as late for about a second. It is many times a turn of a
   * busy server, so nothing is refused in normal operation.
   */
  maxLoopDelayMs: 250,
  /** Longest wait of a call during a burst. */
  maxBurstWaitMs: SECOND_MS,
  /** Longest wait of a call once there has been a queue without a pause for maxBurstWaitMs. */
  maxStandingWaitMs: 100,
  /** Time for which a unary request may stay incomplete while others are refused for lack of a place. */
  patienceMs: SECOND_MS,
};
/** Streams that may be open for each unary call of `maxCalls`. It is many, since most streams are quiet. */
export const STREAMS_PER_CALL = 16;
/** Share of the process's calls, and of its streams, that one connection may have. */
export const CONNECTION_SHARE = 1 / 4;

/**
 * Limits on streams that stay open and need no token: health's Watch, and reflection on loopback;
 * `AppOptions.openStreams` sets them. They keep one unknown client from taking the places of others' streams or health
 * checks.
 */
export const defaultOpenStreamLimits = {
  /** Streams of one connection: a client watches each service once. */
  perConnection: 16,
  /** Streams of one address, an IPv6 address counting as its /64. */
  perAddress: 256,
  /** Streams of all clients together: a sixteenth of all that may be open. */
  total: 1_024,
  /** Time without a request after which a reflection stream ends. */
  reflectionIdleMs: MINUTE_MS,
  /** Requests of one reflection stream: many times the files of a large contract. */
  reflectionRequests: 4_096,
};
export type OpenStreamLimits = typeof defaultOpenStreamLimits;
/**
 * Health checks in flight. They have places of their own, so that a busy server answers them too, and unknown clients
 * that send many of them take no places from other calls.
 */
export const MAX_HEALTH_CHECKS = 256;
/** Largest message to health and reflection, in bytes. It holds two names: one that is asked for, and a host's. */
export const MAX_PROBE_MESSAGE_BYTES = 4 * KIB;
/** Services that health lists; the protocol sets the number. */
export const MAX_LISTED_SERVICES = 100;

/** Limits of a WebSocket, beside those of every connection and call; `AppOptions.webSockets` sets them. */
export const defaultGrpcWebSocketsLimits = {
  /** Largest header block, in bytes. */
  maxHeaderBytes: 16 * KIB,
  /** Time for the header block to arrive. */
  headerTimeoutMs: 5 * SECOND_MS,
  /** Time between two pings; a client that answers neither of two is cut off. */
  pingIntervalMs: 30 * SECOND_MS,
};
export type GrpcWebSocketsLimits = typeof defaultGrpcWebSocketsLimits;

/**
 * Most log lines a second about refused requests, and about refused WebSockets. Without a bound, one client could fill
 * the disk.
 */
export const DEFAULT_REFUSED_LINES_PER_SECOND = 100;

/**
 * Fewest callers whose spending under a rate limit is remembered, at some 150 bytes each; it can be twice as many. The
 * callers that were quiet the longest are forgotten first, and begin anew.
 */
export const MAX_RATE_LIMITED_KEYS = 32_768;

/** Size below which a piece of a body is tiny, in bytes: smaller than the head of an empty gRPC message. */
export const TINY_PIECE_BYTES = 5;
/** Bytes of a request's header that do not count against its address. */
export const FREE_HEADER_BYTES = KIB;
/**
 * Streams that a client may reset on one connection, and how many more each second; then it is closed. The burst is many
 * times `maxConcurrentStreams`, so that a client may drop all its calls again and again, while a rapid reset
 * (CVE-2023-44487) is cut off within a second.
 */
export const STREAM_RESETS = { burst: 4_096, perSecond: 512 };
/** PINGs that may come too early before the connection is closed, as gRPC's own servers do. */
export const PING_STRIKES = 2;
/** Bytes that a connection's streams over HTTP/2 together may send before they are read. This decides upload speed. */
export const CONNECTION_WINDOW_BYTES = 4 * MIB;
/** Interval at which each connection's control bytes are checked, in milliseconds. */
export const CONTROL_LOOK_INTERVAL_MS = 250;
/** Control bytes from one check to the next that are always free, whatever the address has sent. */
export const CONTROL_BYTES_OF_ANY = 16 * KIB;
/**
 * Streams that Node.js may refuse on one connection, in its whole life, before it closes the connection with
 * INTERNAL_ERROR. Node.js refuses streams that arrive while ended ones still count against the limit of concurrent
 * streams. A client that drops all its calls and begins as many in one packet can therefore reach its default of 100.
 */
export const MAX_REJECTED_STREAMS = 4_096;

/**
 * Memory that a call takes up beside its answer while the answer waits for its reader: its stream, request and timers.
 */
export const CALL_BYTES = 16 * KIB;
/** Time for which a call that blocks others may make no progress. */
export const CALL_STALL_TIMEOUT_MS = 5 * SECOND_MS;
/** The same, while the process holds too many bytes and the call's connection more than its share. */
export const OVER_SHARE_STALL_TIMEOUT_MS = 2 * SECOND_MS;
/**
 * Multiple of `maxConnectionBytes` at which a connection is closed. Only a client that ignores its flow-control windows
 * reaches it.
 */
export const MAX_TIMES_OVER_BUDGET = 6;
/** Multiple of `maxConnectionBytes` that a connection may hold in complete messages that are kept for their streams. */
export const KEPT_MESSAGES_FACTOR = 8;

/**
 * Bytes of a request's rest that are read and dropped if the request was answered before its end. The client may go on
 * sending until it has seen the answer.
 */
export const MAX_DROPPED_BYTES = 64 * MIB;
/** Longest time that an HTTP/1.1 connection is read after its last answer. */
export const MAX_LINGER_MS = 5 * SECOND_MS;
/** Bounds of a rest after the answer of an overloaded server: the bytes, and the time. */
export const MAX_REFUSED_REST_BYTES = MIB;
export const MAX_REFUSED_REST_MS = 5 * SECOND_MS;

/**
 * Largest message to the user directory. No valid request has a hundredth of it, and a message costs memory and time
 * before its rules refuse it.
 */
export const MAX_USER_MESSAGE_BYTES = 256 * KIB;
export const DEFAULT_PAGE_SIZE = 50;
export const MAX_PAGE_SIZE = 1_000;
/** Most different words of a filter: each is looked for in many users. */
export const MAX_FILTER_WORDS = 16;
/** Greatest `total_size` that is counted. */
export const MAX_TOTAL_SIZE = 10_000;
/**
 * Time after which a quiet watcher gets `progress`: half of the time after which common proxies cut a silent
 * connection.
 */
export const WATCH_PROGRESS_INTERVAL_MS = 15 * SECOND_MS;
/** Changes that a watcher may be behind. It is less where many filters are watched. */
export const MAX_WATCHER_LAG = 1_024;
/** The same for the watchers of all filters together. */
export const MAX_HELD_CHANGES = 262_144;
/** Interval at which the lag of watchers is measured. */
export const FEED_LAG_INTERVAL_MS = 5 * SECOND_MS;
/** Interval at which changes that need not be kept any longer are looked for. */
export const CHANGES_TRIM_INTERVAL_MS = 10 * SECOND_MS;
/** Time for which the answer to a `request_id` is kept. */
export const REQUEST_ID_LIFETIME_MS = DAY_MS;
/**
 * Searches through many users that run at the same time. Each holds up to a page of users while the others take their
 * turns.
 */
export const MAX_SEARCHES_AT_ONCE = 8;

/**
 * Largest `grpc-message`, percent-encoded, and largest details of an error, in bytes. Over gRPC they are headers, and
 * the details contain the message again in base64. Many clients accept 8 KiB of headers in all, and Node's HTTP/2 sends
 * no more than 64 KiB. Beyond that the whole status is lost, and the call looks refused or broken.
 */
export const MAX_ERROR_MESSAGE_BYTES = KIB;
export const MAX_ERROR_DETAILS_BYTES = 4 * KIB;

/**
 * Largest message that is inflated and deflated on the event loop: up to this size both take some 0.1 ms. Larger ones
 * go to other threads.
 */
export const MAX_INLINE_CODING_BYTES = 32 * KIB;

/** Limits on an identity provider's key set. Large providers have sets of some 20 KiB, with two to ten keys. */
export const keySetLimits = {
  /** Largest key set, in bytes after decompression. */
  maxBytes: 256 * KIB,
  /** Keys that are read; further ones are left out. */
  maxKeys: 100,
  maxRedirects: 3,
  /** Time for a fetch, redirects included. */
  fetchTimeoutMs: 5 * SECOND_MS,
  /** Age at which keys are fetched again. */
  refreshMs: 10 * MINUTE_MS,
  /** Shortest time between two fetches for keys that the set does not have. */
  cooldownMs: 30 * SECOND_MS,
};
