import type { IncomingMessage } from "node:http";
import type { Http2ServerRequest, ServerHttp2Stream } from "node:http2";
import { MAX_REFUSED_REST_BYTES, MAX_REFUSED_REST_MS } from "../../limits.ts";
import { countAnswer } from "../port/connection-guard.ts";
import { endIfSent } from "../port/unread-rest.ts";

/** Interval at which to check whether the rest of refused requests has arrived, and their answers have been sent. */
const CHECK_INTERVAL_MS = 100;

interface Rest {
  readonly request: IncomingMessage;
  readonly sinceMs: number;
  /** Bytes read from the connection when the request was refused. */
  readonly bytesRead: number;
}

/**
 * Drops the rest of refused requests as `port/unread-rest.ts` does, but with one timer for all: an overloaded server
 * refuses thousands a second, and has no time for a timer and listeners of each.
 */
export class RefusedRequests {
  readonly #streams = new Set<ServerHttp2Stream>();
  readonly #rests = new Set<Rest>();
  /**
   * Streams whose answers are not counted yet. Counting begins at the first check, when most answers have been sent
   * already.
   */
  readonly #uncounted: ServerHttp2Stream[] = [];
  #isScheduled = false;

  /** @param request Request that has been answered. The rest of it is dropped. */
  add(request: IncomingMessage | Http2ServerRequest): void {
    if ("stream" in request) {
      this.#addStream(request.stream);
      return;
    }
    request.resume();
    this.#rests.add({ request, sinceMs: performance.now(), bytesRead: request.socket.bytesRead });
    this.#schedule();
  }

  /** @param stream Stream that was answered before it had a request object. The rest of it is dropped. */
  addStream(stream: ServerHttp2Stream): void {
    this.#uncounted.push(stream);
    this.#addStream(stream);
  }

  #addStream(stream: ServerHttp2Stream): void {
    stream.resume();
    this.#streams.add(stream);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    // Usually the rest has arrived with the headers, and the answer is sent in this turn of the loop.
    setImmediate(() => this.#check());
  }

  #check(): void {
    for (const stream of this.#streams) if (endIfSent(stream)) this.#streams.delete(stream);
    for (const stream of this.#uncounted) if (!endIfSent(stream)) countAnswer(stream);
    this.#uncounted.length = 0;
    for (const rest of this.#rests) if (isEndedOrCut(rest)) this.#rests.delete(rest);
    this.#isScheduled = this.#streams.size + this.#rests.size > 0;
    if (this.#isScheduled) setTimeout(() => this.#check(), CHECK_INTERVAL_MS).unref();
  }
}

function isEndedOrCut({ request, sinceMs, bytesRead }: Rest): boolean {
  const { socket } = request;
  if (request.complete || socket.destroyed) return true;
  if (performance.now() - sinceMs < MAX_REFUSED_REST_MS && socket.bytesRead - bytesRead < MAX_REFUSED_REST_BYTES)
    return false;
  socket.destroy();
  return true;
}
