import { type OutgoingHttpHeaders, type ServerResponse, validateHeaderValue } from "node:http";
import type { Http2ServerResponse } from "node:http2";
import { Code, ConnectError } from "@connectrpc/connect";
import type { UniversalServerResponse } from "@connectrpc/connect/protocol";

/** Error of a call whose client has gone away. */
export const GONE = new ConnectError("the client has gone", Code.Canceled);

/** Writes one answer over either HTTP version, as fast as its client reads it. */
export class ResponseWriter {
  readonly #response: ServerResponse | Http2ServerResponse;
  #isGone = false;
  #isEnded = false;
  #wake: (() => void) | undefined;
  readonly #onWaiting: () => void;

  /**
   * @param onGone Called when the client goes away before its answer is complete.
   * @param onWaiting Called when a part of the answer waits for the client to read.
   */
  constructor(response: ServerResponse | Http2ServerResponse, onGone: () => void, onWaiting: () => void) {
    this.#response = response;
    this.#onWaiting = onWaiting;
    // A write can still fail after the client has gone. Nothing is left to do then.
    response.on("error", () => {});
    response.on("drain", () => this.#wake?.());
    response.on("close", () => {
      if (this.#isEnded) return;
      this.#isGone = true;
      this.#wake?.();
      onGone();
    });
  }

  /** Whether the client went away before its answer was complete. */
  get isGone(): boolean {
    return this.#isGone;
  }

  /**
   * Sends the answer, and adds those of `headers` that it does not have itself.
   *
   * @throws Error from the body, or from Node.js when it refuses a header.
   */
  async write({ status, header, body, trailer }: UniversalServerResponse, headers: OutgoingHttpHeaders): Promise<void> {
    const response = this.#response as ServerResponse;
    const iterator = body?.[Symbol.asyncIterator]();
    try {
      let chunk = await iterator?.next();
      // Headers may be set until the first byte is ready.
      if (this.#isGone) return abandon(iterator, GONE);
      const own = toNodeHeaders(header);
      if (own.vary && headers.vary) own.vary = `${headers.vary}, ${own.vary}`;
      response.writeHead(status, { ...headers, ...own });
      while (chunk && !chunk.done) {
        if (!response.write(chunk.value)) {
          this.#onWaiting();
          await this.#roomOrGone();
        }
        if (this.#isGone) return abandon(iterator, GONE);
        chunk = await iterator?.next();
      }
      if (this.#isGone) return;
      this.end(trailer);
    } catch (error) {
      abandon(iterator, error);
      throw error;
    }
  }

  /** Ends an answer that has begun. @throws Error when Node refuses a trailer. */
  end(trailer?: Headers): void {
    const response = this.#response as ServerResponse;
    if (trailer) response.addTrailers(toNodeHeaders(trailer));
    this.#isEnded = true;
    response.end();
  }

  #roomOrGone(): Promise<void> | undefined {
    if (this.#isGone) return undefined;
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}

/**
 * Gives the source of a body the reason why it is not read to its end. Does not wait for it, since the source may never
 * answer.
 */
function abandon(iterator: AsyncIterator<Uint8Array> | undefined, reason: unknown): void {
  (iterator?.throw?.(reason) ?? iterator?.return?.())?.catch(() => {});
}

/**
 * @throws TypeError for a value that HTTP can't carry. Node.js lets it pass over HTTP/2, and clients then drop the
 * connection.
 */
function toNodeHeaders(headers: Headers | undefined): Record<string, string | string[]> {
  const nodeHeaders: Record<string, string | string[]> = {};
  for (const [name, value] of headers ?? []) {
    validateHeaderValue(name, value);
    // This is the only field that can't be joined, since its values contain commas.
    if (name === "set-cookie") nodeHeaders[name] = headers?.getSetCookie() ?? [];
    else nodeHeaders[name] = value;
  }
  return nodeHeaders;
}
