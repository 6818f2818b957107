import { Code, ConnectError } from "@connectrpc/connect";
import { watchStream } from "@rollcall/shared/watch-stream";
import type { CallObserver } from "../api/observer.ts";

export type Field = readonly [name: string, value: string];

/** State of a call at some moment. */
export interface CallSnapshot {
  readonly state: "running" | "done" | "canceled" | "failed";
  readonly sent: number;
  readonly received: number;
  readonly durationMs: number;
  readonly requestHeaders: readonly Field[];
  readonly responseHeaders: readonly Field[];
  readonly trailers: readonly Field[];
  readonly error?: ConnectError;
}

/** Record of a call, for the panel beside it. It notifies its listeners at most once a frame. */
export class CallRecord {
  readonly #startedAtMs = performance.now();
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

  readonly snapshot = (): CallSnapshot => this.#snapshot;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  update(change: (before: CallSnapshot) => Partial<CallSnapshot>): void {
    const durationMs = performance.now() - this.#startedAtMs;
    this.#next = { ...this.#next, durationMs, ...change(this.#next) };
    if (this.#scheduled) return;
    this.#scheduled = true;
    requestAnimationFrame(() => {
      this.#scheduled = false;
      this.#snapshot = this.#next;
      for (const listener of this.#listeners) listener();
    });
  }

  /** Whether the call is running and the server has sent nothing yet, not even headers. */
  get isUnanswered(): boolean {
    return this.#next.state === "running" && this.#next.responseHeaders.length === 0;
  }

  /** Makes a call and records it, without its token. */
  readonly observe: CallObserver = async (next, request) => {
    if (!request.stream) throw new Error("only streams are recorded");
    const requestHeaders = [...request.header].map(
      ([name, value]): Field => [name, name === "authorization" ? "Bearer …" : value],
    );
    this.update(() => ({ requestHeaders }));
    try {
      const message = watchStream(request.message, {
        onMessage: () => this.update(({ sent }) => ({ sent: sent + 1 })),
        onEnd: (end) => end.how === "failed" && this.#breakOff(end.error),
      });
      const response = await next({ ...request, message });
      this.update(() => ({ responseHeaders: [...response.header] }));
      if (!response.stream) return response;
      return {
        ...response,
        message: watchStream(response.message, {
          onMessage: () => this.update(({ received }) => ({ received: received + 1 })),
          onEnd: (end) => {
            if (end.how === "complete") this.update(() => ({ state: "done", trailers: [...response.trailer] }));
            else if (end.how === "failed") this.fail(end.error);
          },
        }),
      };
    } catch (error) {
      this.fail(error);
      throw error;
    }
  };

  /** Ends the record of a call whose request can't go on, which says nothing about the server. */
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
