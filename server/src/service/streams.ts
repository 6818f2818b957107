import { createHash } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { UploadTooLargeError } from "../domain/errors.ts";
import { settings } from "../limits.ts";

export interface StreamsOptions {
  /** Results of a query. Default 10. */
  resultCount?: number | undefined;
  /** Milliseconds between two results; 0 for as fast as they are read. Default 100. */
  resultIntervalMs?: number | undefined;
  /** Largest upload in bytes, all chunks together. */
  maxUploadBytes?: number | undefined;
}

export interface SearchResult {
  readonly data: string;
  /** Counts from 0. */
  readonly sequence: number;
}

export interface UploadReceipt {
  readonly totalBytes: number;
  /** SHA-256 in lower-case hexadecimal. */
  readonly checksum: string;
}

/** Streaming use cases: one for each kind of stream. */
export class Streams {
  readonly #resultCount: number;
  readonly #resultIntervalMs: number;
  readonly #maxUploadBytes: number;

  constructor({
    resultCount = 10,
    resultIntervalMs = 100,
    maxUploadBytes = settings.maxUploadBytes.byDefault,
  }: StreamsOptions = {}) {
    this.#resultCount = resultCount;
    this.#resultIntervalMs = resultIntervalMs;
    this.#maxUploadBytes = maxUploadBytes;
  }

  /** Yields results one after the other. Throws the signal's AbortError as soon as it is aborted. */
  async *search(query: string, signal: AbortSignal): AsyncIterable<SearchResult> {
    for (let sequence = 0; sequence < this.#resultCount; sequence++) {
      if (sequence > 0 && this.#resultIntervalMs > 0) await delay(this.#resultIntervalMs, undefined, { signal });
      signal.throwIfAborted();
      yield { data: `Result ${sequence} for query: ${query}`, sequence };
    }
  }

  /**
   * Reads chunks to their end, keeping none of them.
   *
   * @throws UploadTooLargeError as soon as the chunks exceed the limit.
   */
  async upload(chunks: AsyncIterable<Uint8Array>): Promise<UploadReceipt> {
    const hash = createHash("sha256");
    let totalBytes = 0;
    for await (const chunk of chunks) {
      totalBytes += chunk.byteLength;
      if (totalBytes > this.#maxUploadBytes) throw new UploadTooLargeError(this.#maxUploadBytes);
      hash.update(chunk);
    }
    return { totalBytes, checksum: hash.digest("hex") };
  }

  /** Answers each message before it takes the next. */
  async *echo(messages: AsyncIterable<string>): AsyncIterable<string> {
    for await (const message of messages) yield `Echo: ${message}`;
  }
}
