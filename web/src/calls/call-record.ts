import type { Message } from "@bufbuild/protobuf";
import { Code, ConnectError, type StreamResponse, type UnaryResponse } from "@connectrpc/connect";
import { watchStream } from "@rollcall/shared/watch-stream";
import type { CallObserver } from "../api/observer.ts";

export type Field = readonly [name: string, value: string];

/** State of a call at some moment. */
export interface CallSnapshot {
  readonly state: "running" | "done" | "canceled" | "failed";
  readonly sent: number;
  readonly received: number;
  readonly durationMs: number;
  /** Time from the beginning until the answer's headers arrived, in milliseconds. */
  readonly answeredMs?: number;
  readonly requestHeaders: readonly Field[];
  readonly responseHeaders: readonly Field[];
  readonly trailers: readonly Field[];
  readonly error?: ConnectError;
}

export type Direction = "sent" | "received";

/** Receives each message of a call, with the time since the beginning of the call in milliseconds. */
export type MessageListener = (direction: Direction, message: Message, atMs: number) => void;

/** Record of a call, for the panel beside it. It notifies its listeners at most once a frame. */
export class CallRecord {
  readonly #startedAtMs = performance.now();
  readonly #onMessage: MessageListener | undefined;
  readonly #listeners = new Set<() => void>();
  #snapshot: CallSnapshot = {
    state: "running",
    sent: 0,
    received: 0,
    durationMs: 0,
    requestHeaders: [],
    responseHeaders: [],
    trailers: [],
  };
  #next = this.#snapshot;
  #scheduled = false;

  /** @param onMessage Called with each message, as soon as it is sent or has arrived. */
  constructor(onMessage?: MessageListener) {
    this.#onMessage = onMessage;
  }

  readonly snapshot = (): CallSnapshot => this.#snapshot;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  update(change: (before: CallSnapshot) => Partial<CallSnapshot>): void {
    this.#next = { ...this.#next, durationMs: this.#ageMs, ...change(this.#next) };
    if (this.#scheduled) return;
    this.#scheduled = true;
    requestAnimationFrame(() => {
      this.#scheduled = false;
      this.#snapshot = this.#next;
      for (const listener of this.#listeners) listener();
    });
  }

  get #ageMs(): number {
    return performance.now() - this.#startedAtMs;
  }

  /** Whether the call is running and the server has not sent anything yet, not even headers. */
  get isUnanswered(): boolean {
    return this.#next.state === "running" && this.#next.responseHeaders.length === 0;
  }

  /** Makes a call and records it, without its token. */
  readonly observe: CallObserver = async (next, request) => {
    const requestHeaders = [...request.header].map(
      ([name, value]): Field => [name, name === "authorization" ? "Bearer …" : value],
    );
    this.update(() => ({ requestHeaders }));
    try {
      if (!request.stream) {
        this.#note("sent", request.message);
        return this.#observeAnswer(await next(request));
      }
      const message = watchStream(request.message, {
        onMessage: (sent) => this.#note("sent", sent),
        onEnd: (end) => end.how === "failed" && this.#breakOff(end.error),
      });
      return this.#observeAnswer(await next({ ...request, message }));
    } catch (error) {
      this.fail(error);
      throw error;
    }
  };

  #observeAnswer(response: UnaryResponse | StreamResponse): UnaryResponse | StreamResponse {
    this.update(() => ({ answeredMs: this.#ageMs, responseHeaders: [...response.header] }));
    const complete = () => this.update(() => ({ state: "done", trailers: [...response.trailer] }));
    if (!response.stream) {
      this.#note("received", response.message);
      complete();
      return response;
    }
    return {
      ...response,
      message: watchStream(response.message, {
        onMessage: (received) => this.#note("received", received),
        onEnd: (end) => {
          if (end.how === "complete") complete();
          else if (end.how === "failed") this.fail(end.error);
        },
      }),
    };
  }

  #note(direction: Direction, message: Message): void {
    this.#onMessage?.(direction, message, this.#ageMs);
    this.update((before) => ({ [direction]: before[direction] + 1 }));
  }

  /** Ends the record of a call whose request can't continue. This says nothing about the server. */
  #breakOff(cause: unknown): void {
    this.fail(new ConnectError("the request broke off", Code.Canceled, undefined, undefined, cause));
  }

  /** Ends the record; only the first end counts. */
  fail(reason: unknown): void {
    if (this.#next.state !== "running") return;
    const error = ConnectError.from(reason);
    const state = error.code === Code.Canceled ? "canceled" : "failed";
    this.update(() => ({ state, error, trailers: [...error.metadata] }));
  }
}
