import { type ConnectError, type ContextKey, createContextKey } from "@connectrpc/connect";
import type { Principal } from "../domain/principal.ts";
import type { CallRecord } from "./record/call-record.ts";

/** What the connection that carries a call knows of it; whoever accepts the connection sets it. */
export interface Connection {
  /** Also in the response's `x-request-id`. */
  readonly requestId: string;
  /** Address of the other end, as `192.0.2.1:4711`. */
  readonly peer: string;
  /** Number of `authorization` headers that came, for a carrier that passes only one of them on. Default 1. */
  readonly authorizationCount?: number | undefined;
  /**
   * Called when the gate has let the call in: from then on its body may be read ahead of the handler. `isKnown` is
   * false for a caller who had to show nothing, since the method is public.
   */
  readonly onAdmitted?: ((isKnown: boolean) => void) | undefined;
  /**
   * Counts the bytes that are held of a message which is not complete: 0 before the first, a negative number when they
   * are let go. Where there is too much already, resolves when the body may be read on.
   */
  readonly hold?: ((deltaBytes: number) => Promise<void> | undefined) | undefined;
  /**
   * Counts the bytes of a stream's last complete message, which is kept until the next one takes its place: whoever
   * reads a stream step by step has it at hand. A negative number when it is let go.
   */
  readonly keep?: ((deltaBytes: number) => void) | undefined;
  /** Where a message of so many bytes may not be made at once, resolves when it may, or when the call is over. */
  readonly room?: ((bytes: number) => Promise<void> | undefined) | undefined;
  /** Refuses the call at the gate, for what its carrier found: it is answered and logged as any other. */
  readonly refusal?: ConnectError | undefined;
  /** When the call's client began it; monotonic, in milliseconds. Default: when it reaches the chain. */
  readonly startedAtMs?: number | undefined;
}

export const connectionKey: ContextKey<Connection> = createContextKey<Connection>(
  { requestId: "", peer: "" },
  { description: "connection of the call, set by the server that accepted it" },
);

export const callKey: ContextKey<CallRecord | undefined> = createContextKey<CallRecord | undefined>(undefined, {
  description: "record of the call, set by observeCalls",
});

/** The caller; undefined while nobody is signed in, as for an open method. */
export const principalKey: ContextKey<Principal | undefined> = createContextKey<Principal | undefined>(undefined, {
  description: "caller, set by the gate",
});
