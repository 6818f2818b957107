import type { UniversalClientFn } from "@connectrpc/connect/protocol";

/** Sends requests over its own connections. */
export interface HttpClient {
  readonly send: UniversalClientFn;
  /** Takes no new requests. Resolves when open requests have finished, or were cut after closeTimeoutMs. */
  close(): Promise<void>;
}
