import { type ConnectError, type ContextKey, createContextKey } from "@connectrpc/connect";
import type { Principal } from "../domain/principal.ts";
import type { ClientCertificate } from "./auth/client-certificate.ts";
import type { CallRecord } from "./record/call-record.ts";

/** Facts about the request of a call, and hooks of its carrier. Set by the code that accepts the request. */
export interface RequestContext {
  /** Id of the request, also in the response's `x-request-id`. */
  readonly requestId: string;
  /** Address of the caller, as `192.0.2.1:4711`. The port is missing where a trusted proxy names none. */
  readonly peer: string;
  /** Address that limits count by, an IPv6 address as its /64; undefined for a caller without such limits. */
  readonly address?: string | undefined;
  /** Other end of the connection, if it is a trusted proxy and names another caller. */
  readonly proxy?: string | undefined;
  /** Number of `authorization` headers in the request, for a carrier that passes on only one of them. Default 1. */
  readonly authorizationCount?: number | undefined;
  /** Certificate of the client at the other end of the connection. */
  readonly certificate?: ClientCertificate | undefined;
  /**
   * Called when the gate has let the call in; from then on its body may be read before the handler asks for it.
   * `isKnown` is false if the method is public and the caller has shown no token.
   */
  readonly onAdmitted?: ((isKnown: boolean) => void) | undefined;
  /**
   * Counts the bytes held of an incomplete message: 0 before the first, a negative number when they are released. If
   * too much is held already, returns a promise that resolves when the body may be read on.
   */
  readonly hold?: ((deltaBytes: number) => Promise<void> | undefined) | undefined;
  /**
   * Counts the bytes of a stream's last complete message; a negative number when they are released. The message is kept
   * until the next one replaces it, since a reader that takes one message at a time still holds it.
   */
  readonly keep?: ((deltaBytes: number) => void) | undefined;
  /**
   * Resolves when there is room for a message of this many bytes, or when the call is over. Returns undefined if there
   * already is.
   */
  readonly room?: ((bytes: number) => Promise<void> | undefined) | undefined;
  /**
   * Refuses the call at the gate, for a reason that its carrier found. The call is answered and logged like any other.
   */
  readonly refusal?: ConnectError | undefined;
  /** Time when the client began the call; monotonic, in milliseconds. Default: when the call reaches the chain. */
  readonly startedAtMs?: number | undefined;
}

export const requestContextKey: ContextKey<RequestContext> = createContextKey<RequestContext>(
  { requestId: "", peer: "" },
  { description: "request that brought the call, set by its carrier" },
);

export const callKey: ContextKey<CallRecord | undefined> = createContextKey<CallRecord | undefined>(undefined, {
  description: "record of the call, set by observeCalls",
});

/** The caller; undefined while nobody is signed in, as in a public method. */
export const principalKey: ContextKey<Principal | undefined> = createContextKey<Principal | undefined>(undefined, {
  description: "caller, set by the gate",
});
