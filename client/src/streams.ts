import type { ServerStreamResponse, StreamService } from "@rollcall/gen/stream/v1/stream";
import type { CallOptions } from "./call-options.ts";
import { withDomainErrors } from "./internal/domain-errors.ts";
import type { ServiceClient } from "./internal/service-client.ts";
import type { Chat, openChat } from "./streams/chat.ts";
import type { UploadFunction, UploadOptions, UploadReceipt, UploadSource } from "./streams/upload.ts";

/** How a platform makes uploads and chats. */
export interface StreamParts {
  readonly upload: UploadFunction;
  readonly openChat: typeof openChat;
}

/** The streams. Methods throw RollcallErrors for refusals that a caller can act on, otherwise ConnectErrors. */
export class Streams {
  readonly #calls: ServiceClient<typeof StreamService>;
  readonly #parts: StreamParts;

  constructor(calls: ServiceClient<typeof StreamService>, parts: StreamParts) {
    this.#calls = calls;
    this.#parts = parts;
  }

  /** Yields the results of a query as they come. Leaving the loop cancels the call. */
  query(text: string, options: CallOptions = {}): AsyncIterable<ServerStreamResponse> {
    return withDomainErrors(this.#calls.serverStream({ query: text }, options));
  }

  /**
   * Sends the source in 64 KiB chunks and compares checksums at the end. Only the server's deadline applies, unless the
   * options set one.
   *
   * @throws ChecksumMismatchError
   */
  upload(source: UploadSource, options: UploadOptions = {}): Promise<UploadReceipt> {
    return this.#parts.upload(this.#calls, source, options);
  }

  /** Opens a conversation. Only the server's deadline applies, unless the options set one. */
  chat(options: CallOptions = {}): Chat {
    return this.#parts.openChat(this.#calls, options);
  }
}
