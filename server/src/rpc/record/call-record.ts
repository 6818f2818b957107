import { Code, ConnectError } from "@connectrpc/connect";
import { codeFromHttpStatus } from "@connectrpc/connect/protocol-connect";
import type { Logger } from "pino";
import { DatabaseUnavailableError } from "../../domain/errors.ts";
import type { Principal } from "../../domain/principal.ts";
import { CALL_ENDED } from "../call-errors.ts";
import { toConnectError } from "../errors.ts";
import { malformedCode, toMalformed } from "../malformed.ts";
import { makeSendable } from "../sendable-error.ts";
import type { CallTrace } from "./call-trace.ts";

/** Longest id of a resource, in characters. A caller may have made it up, and each log line repeats it. */
const MAX_RESOURCE_LENGTH = 128;

/** A call as its observers see it. */
export interface CallFacts {
  /** Id of the request, also in the response's `x-request-id`. */
  readonly requestId: string;
  /** Address of the caller, as `192.0.2.1:4711`. The port is missing where a trusted proxy names none. */
  readonly peer: string;
  /** Other end of the connection, if it is a trusted proxy that names the caller. */
  readonly proxy: string | undefined;
  /** Full name, such as `user.v1.UserService/GetUser`. */
  readonly method: string;
  /** Start of the call; monotonic, in milliseconds. */
  readonly startedAtMs: number;
  /** Undefined if the call is part of no trace. */
  readonly trace: CallTrace | undefined;
  /** "grpc", "grpc-web" or "connect"; undefined while the request is not understood. */
  readonly protocol: string | undefined;
  /** The caller; undefined if nobody is signed in. */
  readonly principal: Principal | undefined;
  /** Id of the resource that a write changes or would change. */
  readonly resource: string | undefined;
  /** Bytes of the bodies on the wire. */
  readonly requestBytes: number;
  readonly responseBytes: number;
}

/** How a call ended. */
export interface Outcome {
  /** Code of the error; undefined for success. */
  readonly code: Code | undefined;
  /** Time from the start to the end, in milliseconds. */
  readonly durationMs: number;
}

/**
 * Called once for every call, at its end: when the last byte of its answer has been produced, or when its client has
 * gone.
 */
export type CallObserver = (call: CallFacts, outcome: Outcome) => void;

export interface CallRecordOptions extends Pick<CallFacts, "requestId" | "peer" | "method" | "startedAtMs" | "trace"> {
  /** Address that limits count by; undefined for one without such limits. */
  address?: string | undefined;
  proxy?: string | undefined;
  observers: readonly CallObserver[];
  logger: Logger;
}

/**
 * One call from its headers to its end. All failures are reported here, and the record alone decides with which error
 * the call ends: the first failure counts. It ends once.
 */
export class CallRecord implements CallFacts {
  readonly requestId: string;
  readonly peer: string;
  readonly address: string | undefined;
  readonly proxy: string | undefined;
  readonly method: string;
  readonly startedAtMs: number;
  readonly trace: CallTrace | undefined;
  /** Time when the call has to end, whatever it still waits for; monotonic, in milliseconds. */
  deadlineAtMs = Number.POSITIVE_INFINITY;
  protocol: string | undefined;
  principal: Principal | undefined;
  /** Headers that tell the caller how much of its rate limit is left, names and values in turn. */
  rateLimit: readonly string[] | undefined;
  /** Counts a message of a stream's request, where there is a limit. */
  spendMessage: (() => void) | undefined;
  requestBytes = 0;
  responseBytes = 0;
  /**
   * Whether the message of a call that the gate has let in is being parsed. A failure at that time is the sender's
   * fault.
   */
  isReadingRequest = false;
  readonly #observers: readonly CallObserver[];
  readonly #logger: Logger;
  /** Created when the signal is first used; most calls never use it. */
  #controller: AbortController | undefined;
  #abortedWith: ConnectError | undefined;
  #onFailure: (() => void)[] | undefined;
  #onEnd: (() => void)[] | undefined;
  #resource: string | undefined;
  #error: ConnectError | undefined;
  #hasEnded = false;

  constructor({ requestId, peer, address, proxy, method, startedAtMs, trace, observers, logger }: CallRecordOptions) {
    this.requestId = requestId;
    this.peer = peer;
    this.address = address;
    this.proxy = proxy;
    this.method = method;
    this.startedAtMs = startedAtMs;
    this.trace = trace;
    this.#observers = observers;
    this.#logger = logger;
  }

  /** Aborted, with an error as the reason, if the call has to end before its answer is complete. */
  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.#abortedWith) this.#controller.abort(this.#abortedWith);
    }
    return this.#controller.signal;
  }

  /** Whether a failure was reported. */
  get hasFailed(): boolean {
    return this.#error !== undefined;
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  get resource(): string | undefined {
    return this.#resource;
  }

  /**
   * Names the resource that the call changes. It is set as soon as it is known, so that the record of a refusal has it
   * too.
   */
  set resource(id: string) {
    this.#resource = id.slice(0, MAX_RESOURCE_LENGTH);
  }

  /** Ends the call with an error, whatever it waits for. */
  abort(error: ConnectError): void {
    this.#fail(error);
    this.#abortedWith ??= error;
    this.#controller?.abort(error);
  }

  /** Adds a listener for the first failure. It does not run if the call has failed already. */
  onFailure(listener: () => void): void {
    this.#onFailure ??= [];
    this.#onFailure.push(listener);
  }

  /** Adds a listener for the end of the call, however it ends. */
  onEnd(listener: () => void): void {
    this.#onEnd ??= [];
    this.#onEnd.push(listener);
  }

  /**
   * Reports an error that a handler or an interceptor threw.
   *
   * @param signal The signal that the handler or interceptor had. Its reason explains an AbortError.
   * @returns The error to send: the one from the table of domain errors, else "internal server error". Only the log
   * gets the cause and stack of the latter.
   */
  failInHandler(thrown: unknown, signal: AbortSignal): ConnectError {
    const known = toConnectError(thrown, signal);
    if (!known || known.code === Code.Internal || known.code === Code.Unknown)
      this.#log("error", known?.cause ?? thrown);
    else if (known.code === Code.Unavailable && known.cause && !hasNoWords(known.cause)) this.#log("warn", known.cause);
    return this.#fail(known ?? internalError());
  }

  /**
   * Reports the error that Connect is about to send. Connect writes this very object, so it is changed in place:
   * malformed input gets the protocol's code and words, and a fault of the server is masked.
   */
  failInProtocol(reason: unknown): void {
    // Connect also aborts the signal of a call that has succeeded, without a reason.
    if (!(reason instanceof Error) || reason.name === "AbortError") return;
    if (!(reason instanceof ConnectError)) {
      if (!this.#error) this.failInServer(reason);
      return;
    }
    if (!this.#blameSender(reason) && !this.#error && reason.code === Code.Internal) {
      this.#log("error", reason.cause ?? reason);
      Object.assign(reason, { rawMessage: internalError().rawMessage, details: [] });
    }
    this.#fail(reason);
  }

  /**
   * Reports a fault of the server outside of any protocol, such as one while a status is written.
   *
   * @returns The error to send. It replaces any earlier error, whose status was never sent.
   */
  failInServer(fault: unknown): ConnectError {
    this.#log("error", fault);
    const error = this.#fail(internalError());
    this.#error = error;
    return error;
  }

  /**
   * Reports an error that needs no log line of its own: a bare refusal, or an answer that the carrier could not write.
   */
  fail(error: ConnectError): void {
    this.#fail(error);
  }

  /**
   * Ends the record. Further calls do nothing.
   *
   * @param status HTTP status of the answer; it decides the outcome if no error was reported.
   * @param isComplete Whether the whole answer was taken.
   */
  end(status: number | undefined, isComplete: boolean): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    for (const listener of this.#onEnd ?? []) listener();
    const outcome = { code: this.#codeOf(status, isComplete), durationMs: performance.now() - this.startedAtMs };
    for (const observe of this.#observers) {
      try {
        observe(this, outcome);
      } catch (error) {
        this.#log("error", error);
      }
    }
  }

  /** Aborts the signal of a call that has ended: its handler may have left something running. */
  release(): void {
    this.#controller?.abort(CALL_ENDED);
  }

  #codeOf(status: number | undefined, isComplete: boolean): Code | undefined {
    if (this.#error) return this.#error.code;
    if (status === undefined || !isComplete) return Code.Canceled;
    return status === 200 || status === 304 ? undefined : codeFromHttpStatus(status);
  }

  #fail(error: ConnectError): ConnectError {
    for (const fault of makeSendable(error, this.protocol)) this.#log("error", fault);
    if (this.#error) return error;
    this.#error = error;
    for (const listener of this.#onFailure ?? []) listener();
    return error;
  }

  /** If the error is the sender's fault, gives it the protocol's code and words. Returns whether it is. */
  #blameSender(error: ConnectError): boolean {
    const cause = this.isReadingRequest ? toMalformed(error) : error;
    if (!(cause instanceof ConnectError)) return false;
    const code = malformedCode(cause, this.protocol);
    if (code === undefined) return false;
    Object.assign(error, { code, rawMessage: cause.rawMessage });
    return true;
  }

  #log(level: "warn" | "error", err: unknown): void {
    const { requestId, method, trace } = this;
    this.#logger[level]({ requestId, traceId: trace?.traceId, method, err }, "call failed");
  }
}

/**
 * Returns whether an error adds nothing to the log line of the call. A fault of the database was logged when it began.
 */
function hasNoWords(error: unknown): boolean {
  return error instanceof DatabaseUnavailableError && error.cause === undefined;
}

/** Creates the error that a caller gets for a fault of the server. */
export function internalError(): ConnectError {
  return new ConnectError("internal server error", Code.Internal);
}
