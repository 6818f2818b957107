import { Code, ConnectError } from "@connectrpc/connect";
import { defaultOpenStreamLimits, type OpenStreamLimits } from "../limits.ts";
import { retryInfo } from "./errors.ts";
import type { CallRecord } from "./record/call-record.ts";

const RETRY_AFTER_SECONDS = 5;

export interface OpenStreamsOptions {
  openStreams?: Partial<OpenStreamLimits> | undefined;
  /** Aborted, with an error for the clients, when the server stops and open streams have to end. */
  closingSignal: AbortSignal;
}

/** Stream that stays open until its client or the server closes it. */
export interface OpenStream {
  /** Aborted when the call or the server ends. */
  readonly signal: AbortSignal;
  /** Notes that the stream has ended. */
  close(): void;
}

/**
 * Streams that would stay open for ever. Bounds those of callers without a token, and ends all of them when the server
 * stops; otherwise every stop would wait for them.
 */
export class OpenStreams {
  readonly limits: OpenStreamLimits;
  readonly #closingSignal: AbortSignal;
  readonly #controllers = new Set<AbortController>();
  /** Streams by connection and by address. */
  readonly #counts = new Map<string, number>();
  #total = 0;

  constructor({ openStreams, closingSignal }: OpenStreamsOptions) {
    this.limits = { ...defaultOpenStreamLimits, ...openStreams };
    this.#closingSignal = closingSignal;
    closingSignal.addEventListener("abort", () => {
      for (const controller of this.#controllers) controller.abort(closingSignal.reason);
    });
  }

  /**
   * Counts a call from the moment the gate has let it in until it ends. It does not wait for the message, whose arrival
   * may take long.
   *
   * @throws ConnectError resource_exhausted for a caller without a token that has too many streams.
   */
  enter(call: Pick<CallRecord, "principal" | "peer" | "address" | "onEnd">): void {
    if (!call.principal) call.onEnd(this.#take(call));
  }

  /** Opens a stream, which ends with its call or with the server. */
  open({ signal }: { readonly signal: AbortSignal }): OpenStream {
    const controller = new AbortController();
    const abort = () => controller.abort(signal.reason);
    this.#controllers.add(controller);
    signal.addEventListener("abort", abort, { once: true });
    if (signal.aborted) abort();
    else if (this.#closingSignal.aborted) controller.abort(this.#closingSignal.reason);
    return {
      signal: controller.signal,
      close: () => {
        this.#controllers.delete(controller);
        signal.removeEventListener("abort", abort);
      },
    };
  }

  #take({ peer, address }: Pick<CallRecord, "peer" | "address">): () => void {
    const { perConnection, perAddress, total } = this.limits;
    // Connections can't be told apart behind a proxy that names no port.
    const isConnection = address !== undefined && /[\]\d]:\d+$/.test(peer);
    const isFull =
      this.#total >= total ||
      (isConnection && this.#count(peer) >= perConnection) ||
      (address !== undefined && this.#count(address) >= perAddress);
    if (isFull) {
      const details = [retryInfo(RETRY_AFTER_SECONDS)];
      throw new ConnectError("too many open streams without a token", Code.ResourceExhausted, undefined, details);
    }
    const keys = [...(isConnection ? [peer] : []), ...(address === undefined ? [] : [address])];
    const add = (delta: number) => {
      this.#total += delta;
      for (const key of keys) {
        const count = this.#count(key) + delta;
        if (count > 0) this.#counts.set(key, count);
        else this.#counts.delete(key);
      }
    };
    add(1);
    return () => add(-1);
  }

  #count(key: string): number {
    return this.#counts.get(key) ?? 0;
  }
}
