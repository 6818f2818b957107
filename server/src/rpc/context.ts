import { type ConnectError, type ContextKey, type ContextValues, createContextKey } from "@connectrpc/connect";
import type { Principal } from "../domain/principal.ts";

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

/** A call under way, as the access log will tell it. */
export interface Call extends Pick<Connection, "requestId" | "peer"> {
  /** As `user.v1.UserService/GetUser`. */
  readonly method: string;
  /** Monotonic, in milliseconds. */
  readonly startedAtMs: number;
  /** When the call is over, whatever it still waits for; monotonic, in milliseconds. */
  deadlineAtMs: number;
  /** "grpc", "grpc-web" or "connect"; undefined while the request was not understood. */
  protocol?: string;
  /** Of the bodies as they are on the wire, in bytes. */
  requestBytes: number;
  responseBytes: number;
  /** While the message of a call that the gate has let in is parsed: what fails then is the fault of its sender. */
  isReadingRequest?: boolean;
  /** What a write changed, or was to change, by its id; see {@link nameResource}. */
  resource?: string;
  /** With what the call failed, once it has. */
  error?: ConnectError;
  /** Aborted when the call ends, with its error as the reason where there is one. */
  signal?: AbortSignal;
  /** Ends the call with an error, whatever it waits for. */
  abort(error: ConnectError): void;
  /** Runs once, when the call has ended, whichever way. */
  onEnd?: () => void;
}

export const connectionKey: ContextKey<Connection> = createContextKey<Connection>(
  { requestId: "", peer: "" },
  { description: "connection of the call, set by the server that accepted it" },
);

export const callKey: ContextKey<Call | undefined> = createContextKey<Call | undefined>(undefined, {
  description: "record of the call, set by observeCalls",
});

/** The caller; undefined while nobody is signed in, as for an open method. */
export const principalKey: ContextKey<Principal | undefined> = createContextKey<Principal | undefined>(undefined, {
  description: "caller, set by the gate",
});

/** Longest id of a resource in the access log, in characters: a caller may have made it up. */
const MAX_RESOURCE_LENGTH = 128;

/** Notes for the access log what a call changes, by its id: as soon as that is known, so that a refusal names it too. */
export function nameResource(values: ContextValues, id: string): void {
  const call = values.get(callKey);
  if (call) call.resource = id.slice(0, MAX_RESOURCE_LENGTH);
}
