import { BlockList } from "node:net";
import { MAX_TIMER_MS } from "@rollcall/shared/max-timer-ms";

/*
 * Every default and limit that clients or operators can notice, each once. `config.ts` and
 * `app.ts` read them here, and a test holds the README's tables equal to them. Numbers that
 * only tune a mechanism, such as the size of a chunk, stand beside the code that uses them.
 */

const KIB = 1_024;
const MIB = 1_024 * KIB;
const GIB = 1_024 * MIB;
const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** A number that can be set: its default, and the bounds of what is accepted. */
export interface Setting {
  readonly byDefault: number;
  readonly min: number;
  readonly max: number;
}

/** Numbers that the environment sets, by the variable's name in camel case. */
export const settings = {
  port: { byDefault: 8_080, min: 0, max: 65_535 },
  /** Largest message that a client sends, before and after decompression. */
  maxMessageBytes: { byDefault: 4 * MIB, min: KIB, max: GIB },
  /** Largest upload, all chunks together. */
  maxUploadBytes: { byDefault: 16 * GIB, min: 0, max: Number.MAX_SAFE_INTEGER },
  /** Deadline of a unary call whose client sets none. */
  defaultTimeoutMs: { byDefault: 30 * SECOND_MS, min: 1, max: MAX_TIMER_MS },
  /** Longest deadline of any call. */
  maxTimeoutMs: { byDefault: HOUR_MS, min: 1, max: MAX_TIMER_MS },
  /**
   * Unary calls in flight in the process: enough to keep it busy with calls that wait for a
   * database, and few enough that calls that compute are answered within about a second.
   */
  maxCalls: { byDefault: 1_024, min: 1, max: 1_000_000 },
  /** Open connections from one address: a quarter of all, for clients that share one behind a NAT. */
  maxConnectionsPerAddress: { byDefault: 1_024, min: 1, max: 1_000_000 },
  /** How long a server that stops only reports that it is not ready, so that load balancers look away. */
  shutdownDelayMs: { byDefault: 0, min: 0, max: HOUR_MS },
  /** How long calls may go on after that. */
  shutdownGraceMs: { byDefault: 10 * SECOND_MS, min: 0, max: HOUR_MS },
  /**
   * How long the last good keys serve, beyond their own time, when they can't be fetched. The default is about
   * the lifetime of a token. At most a week, since a key that was withdrawn may be accepted for as long.
   */
  authJwksMaxStaleMs: { byDefault: HOUR_MS, min: 0, max: 7 * DAY_MS },
} satisfies Record<string, Setting>;

/** Bounds of what connections may take up; `AppOptions.limits` sets them. */
export const defaultConnectionLimits = {
  /** Open connections on one address that is listened on; further ones are closed at once. */
  maxConnections: 4_096,
  /** Open connections from one address, an IPv6 address counting as its /64; further ones are closed at once. */
  maxConnectionsPerAddress: settings.maxConnectionsPerAddress.byDefault,
  /** Proxies, whose connections are those of many clients: exempt from what counts by address. */
  trustedProxies: new BlockList(),
  /**
   * Bytes that the calls of one connection may hold: requests that are not complete, and answers that have not left.
   * Beyond it no further call of the connection begins, and calls that do not move are ended.
   */
  maxConnectionBytes: 8 * MIB,
  /** The same for all connections together. */
  maxHeldBytes: 256 * MIB,
  /**
   * Pieces of a body, such as an HTTP/2 frame, of less than {@link TINY_PIECE_BYTES}: from one connection, or from all
   * connections of an address while the gate has let in no call of theirs. Beyond it the connection is closed. No
   * client cuts a body like that, and each piece costs much more than its bytes.
   */
  tinyPieces: { burst: 4_096, perSecond: 2_048 },
  /**
   * Streams that are reset on connections of which the gate has let no call in, all those of an address together;
   * then the next connection to do it is closed. A client may drop all its calls while they wait for its identity
   * provider, and do so again a second later.
   */
  strangerResets: { burst: 512, perSecond: 256 },
  /**
   * Bytes of HTTP/2 headers, decompressed, on such connections, beyond {@link FREE_HEADER_BYTES} of each request:
   * 256 calls at once with tokens of 4 KiB.
   */
  strangerHeaderBytes: { burst: MIB, perSecond: 512 * KIB },
  /** Streams open at once on one HTTP/2 connection, and requests that wait on one HTTP/1.1 connection. */
  maxConcurrentStreams: 256,
  /** Bytes of a request line and headers, or of an HTTP/2 header list. */
  maxHeaderBytes: 16 * KIB,
  /** Time for a TLS handshake, for the first request to come, and for a header once it has begun. */
  handshakeTimeoutMs: 10 * SECOND_MS,
  /** How long a connection without a request stays open. */
  idleTimeoutMs: 2 * MINUTE_MS,
  /**
   * How long an HTTP/1.1 connection has to be without a request before a server that stops closes it: many times
   * what a client takes from an answer to its next request.
   */
  idleBeforeCloseMs: 500,
};
export type ConnectionLimits = typeof defaultConnectionLimits;

/** Bounds of the time that a peer may take to send a request or to read its answer; `AppOptions.timeouts` sets them. */
export const defaultRequestTimeouts = {
  /** Time for the whole body of a request with one message. */
  bodyTimeoutMs: 30 * SECOND_MS,
  /** Time between two parts of an upload, and between two reads of an answer. */
  stallTimeoutMs: MINUTE_MS,
};
export type RequestTimeouts = typeof defaultRequestTimeouts;

/** The pace at which calls start, and how many of them wait; `AppOptions.admission` sets them. */
export const defaultAdmissionLimits = {
  /** Unary calls that may be under way at first, before it is known how long they take. */
  window: 64,
  /** Longest turn of the event loop; calls that make it longer slow the starts of others. */
  maxTurnMs: 20,
  /** Longest wait of a call in a burst. */
  maxBurstWaitMs: SECOND_MS,
  /** Longest wait once calls have waited without a pause for maxBurstWaitMs. */
  maxStandingWaitMs: 100,
  /** How long the rest of a unary request may be on its way while other calls are refused for its place. */
  patienceMs: SECOND_MS,
};
/** Streams that may be open for each unary call of `maxCalls`: they are mostly quiet. */
export const STREAMS_PER_CALL = 16;
/** Part of the process's calls, and of its streams, that one connection may have. */
export const CONNECTION_SHARE = 1 / 4;

/** Bounds of a WebSocket, beside those of every connection and call; `AppOptions.webSockets` sets them. */
export const defaultGrpcWebSocketsLimits = {
  /** Largest header block, in bytes. */
  maxHeaderBytes: 16 * KIB,
  /** Time for the header block to arrive. */
  headerTimeoutMs: 5 * SECOND_MS,
  /** Time between two pings; a client that answers neither of two is cut off. */
  pingIntervalMs: 30 * SECOND_MS,
};
export type GrpcWebSocketsLimits = typeof defaultGrpcWebSocketsLimits;

/** Lines in the log about refused requests, and about refused WebSockets: without a bound, one client could fill disks. */
export const DEFAULT_REFUSED_LINES_PER_SECOND = 100;

/** A piece of a body is tiny below the size of an empty gRPC message's head, in bytes. */
export const TINY_PIECE_BYTES = 5;
/** Bytes of a request's header that do not count against its address. */
export const FREE_HEADER_BYTES = KIB;
/**
 * Streams that a client may reset on one connection, and how many more each second; then it is closed. The burst is many
 * times `maxConcurrentStreams`, so that a client may drop all its calls again and again, while a rapid reset
 * (CVE-2023-44487) is cut off within a second.
 */
export const STREAM_RESETS = { burst: 4_096, perSecond: 512 };

/** Bytes that each call counts for, beside its answer, while that waits for its reader: its stream, request and timers. */
export const CALL_BYTES = 16 * KIB;
/** How long a call that is in the way of others may stand still. */
export const CALL_STALL_TIMEOUT_MS = 5 * SECOND_MS;
/** The same while the process holds too much, and the call's connection more than its share. */
export const OVER_SHARE_STALL_TIMEOUT_MS = 2 * SECOND_MS;
/** Times `maxConnectionBytes` at which a connection is closed: only a client that ignores its windows gets there. */
export const MAX_TIMES_OVER_BUDGET = 6;
/** Times `maxConnectionBytes` that a connection may hold in complete messages that are kept for their streams. */
export const KEPT_MESSAGES_FACTOR = 8;

/** What a client may still send after an answer that came before its request's end: until it has seen the answer. */
export const MAX_DROPPED_BYTES = 64 * MIB;
/** The same after the answer of an overloaded server, and for how long. */
export const MAX_REFUSED_REST_BYTES = MIB;
export const MAX_REFUSED_REST_MS = 5 * SECOND_MS;

/**
 * Largest message to the directory. No valid request has a hundredth of it, and a message costs memory and time
 * before its rules refuse it.
 */
export const MAX_USER_MESSAGE_BYTES = 256 * KIB;
export const DEFAULT_PAGE_SIZE = 50;
export const MAX_PAGE_SIZE = 1_000;
/** How long the answer to a `request_id` is remembered. */
export const REQUEST_ID_LIFETIME_MS = DAY_MS;
/** Searches through many users that go on at once; each holds up to a page of users while others have their turns. */
export const MAX_SEARCHES_AT_ONCE = 8;

/**
 * Largest `grpc-message`, percent-encoded, and largest details of an error, in bytes. Over gRPC they are headers, the
 * details together with the message again in base64. Many clients take 8 KiB of headers in all, and Node's HTTP/2
 * sends no more than 64 KiB; beyond that the whole status is lost, and the call looks refused or broken.
 */
export const MAX_ERROR_MESSAGE_BYTES = KIB;
export const MAX_ERROR_DETAILS_BYTES = 4 * KIB;

/** Messages beyond this size are inflated and deflated by other threads: up to here both take some 0.1 ms. */
export const MAX_INLINE_CODING_BYTES = 32 * KIB;

/** Bounds of an identity provider's key set. Large providers have some 20 KiB, and two to ten keys. */
export const keySetLimits = {
  /** Largest key set, in bytes and decompressed. */
  maxBytes: 256 * KIB,
  /** Keys that are looked at; further ones are left out. */
  maxKeys: 100,
  maxRedirects: 3,
  /** Time for a fetch, redirects included. */
  fetchTimeoutMs: 5 * SECOND_MS,
  /** Age at which keys are fetched anew. */
  refreshMs: 10 * MINUTE_MS,
  /** Shortest time between two fetches for keys that tokens name, whatever they name. */
  cooldownMs: 30 * SECOND_MS,
};
