import type { UniversalClientFn } from "@connectrpc/connect/protocol";

/** Sends requests over connections of its own. */
export interface HttpClient {
  readonly send: UniversalClientFn;
  /** No new requests; resolves when those under way have finished, or were cut after closeTimeoutMs. */
  close(): Promise<void>;
}
