import { Counts } from "../runtime/counts.ts";

/** Reasons for which the server refuses or ends something before it is a call, each with a line in the log. */
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
  /** A call that stood still while too many bytes were held. */
  "stalled",
  /** A request that is no call: an unknown path, a bad Host, no HTTP at all. */
  "request",
  /** A request for a WebSocket. */
  "websocket",
  /** A TLS handshake that failed, other than for the client's certificate. */
  "tls_handshake",
  "client_certificate",
] as const;

export type RefusalReason = (typeof REASONS)[number];

/** Counters of what was refused, by reason. */
export type RefusalCounts = Counts<RefusalReason>;

export function createRefusalCounts(): RefusalCounts {
  return new Counts<RefusalReason>(REASONS);
}
