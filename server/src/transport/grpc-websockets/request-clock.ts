import type { DescMethod } from "@bufbuild/protobuf";
import type { RequestTimeouts } from "../../limits.ts";
import type { SocketHolds } from "./holds.ts";

/** A call whose request may be late. */
export interface AwaitedCall {
  readonly holds: SocketHolds;
  /** Ends a request that has not arrived in time. */
  failLate(): void;
}

/** Bounds the time that the client of one socket may take. */
export class RequestClock {
  readonly #call: AwaitedCall;
  readonly #timeouts: RequestTimeouts;
  #timer: NodeJS.Timeout | undefined;

  /** @param headerTimeoutMs Time for the header block to arrive, in milliseconds. */
  constructor(call: AwaitedCall, timeouts: RequestTimeouts, headerTimeoutMs: number) {
    this.#call = call;
    this.#timeouts = timeouts;
    this.#start(headerTimeoutMs);
  }

  /**
   * Bounds the time for a whole request with one message, or between two parts of an upload. A conversation may be
   * quiet.
   *
   * @param isBounded Whether the call's carrier bounds this time itself.
   */
  boundUpload(kind: DescMethod["methodKind"], isBounded: boolean): void {
    const { stallTimeoutMs, bodyTimeoutMs } = this.#timeouts;
    const isUpload = kind === "client_streaming";
    if (kind === "bidi_streaming" || isBounded) this.stop();
    else if (!this.#timer) this.#start(isUpload ? stallTimeoutMs : bodyTimeoutMs);
    else if (isUpload) this.#timer.refresh();
  }

  /** Bounds the time for a frame that has begun, even where the client may be quiet between frames. */
  boundFrame(): void {
    if (!this.#timer) this.#start(this.#timeouts.stallTimeoutMs);
  }

  /** Called when the time is up. */
  expire(): void {
    const { holds } = this.#call;
    // The client can't send while the handler is the slow side.
    if (holds.has("body") || holds.has("gate")) this.#timer?.refresh();
    else this.#call.failLate();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #start(timeoutMs: number): void {
    this.#timer = setTimeout(expire, timeoutMs, this);
  }
}

function expire(clock: RequestClock): void {
  clock.expire();
}
