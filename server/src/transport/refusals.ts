import { Counts } from "../runtime/counts.ts";

/** Reasons for which the server refuses or ends something before it is a call. Each has a line in the log. */
const REASONS = [
  /** A call, because there is no place for it. */
  "overloaded",
  /** A call whose deadline passed while it waited for its start. */
  "expired",
  /** A connection, because its address has too many. */
  "connections_of_address",
  /** A connection, because the server has too many. */
  "connections",
  /** A connection whose client floods the server. */
  "abuse",
  /** A call that made no progress while too many bytes were held. */
  "stalled",
  /** A request that is not a call: an unknown path, a bad Host, not HTTP at all. */
  "request",
  /** A request for a WebSocket. */
  "websocket",
  /** A TLS handshake that failed for another reason than the client's certificate. */
  "tls_handshake",
  "client_certificate",
] as const;

export type RefusalReason = (typeof REASONS)[number];

/** Counters of refusals, by reason. */
export type RefusalCounts = Counts<RefusalReason>;

export function createRefusalCounts(): RefusalCounts {
  return new Counts<RefusalReason>(REASONS);
}
