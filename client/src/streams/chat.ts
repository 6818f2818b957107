// Apps that target less than ES2026 know these types by it.
/// <reference lib="esnext.disposable" preserve="true" />
import { Code, ConnectError } from "@connectrpc/connect";
import { createLinkedAbortController } from "@connectrpc/connect/protocol";
import type { StreamService } from "@rollcall/gen/stream/v1/stream";
import { BoundedQueue, type SizeBound } from "@rollcall/shared/bounded-queue";
import type { CallOptions } from "../call-options.ts";
import { toRollcallError } from "../errors.ts";
import type { ServiceClient } from "../internal/service-client.ts";

/**
 * Most messages that may wait to be sent, and most replies that may wait to be read. Beyond that, the faster side
 * waits.
 */
const QUEUE_CAPACITY = 64;
/**
 * Most characters of them together; one longer message may wait alone. It takes up to 2 bytes of memory for each. What
 * the reader leaves beyond that, the transport holds back.
 */
const QUEUE_CHARACTERS = 1024 ** 2;

/**
 * A conversation in both directions at the same time. Iterate over it, once, for the replies, while messages are sent.
 * It ends when the server has answered all messages sent before {@link end}. Disposing of it earlier cancels the call.
 */
export interface Chat extends AsyncIterable<string>, Disposable {
  /**
   * Resolves when the message is on its way. Waits while the server, or the reader of the replies, is slow.
   *
   * @throws the error that ended the call, or ConnectError canceled after {@link end}.
   */
  send(message: string): Promise<void>;
  /** Ends the messages. The replies continue to their end. */
  end(): void;
}

/** Opens a chat immediately, even if nobody reads it yet. */
export function openChat(streams: ServiceClient<typeof StreamService>, options: CallOptions): Chat {
  const bound: SizeBound<string> = { maxSize: QUEUE_CHARACTERS, sizeOf: (message) => message.length };
  const outbox = new BoundedQueue<string>(QUEUE_CAPACITY, bound);
  const inbox = new BoundedQueue<string>(QUEUE_CAPACITY, bound);
  const controller = createLinkedAbortController(options.signal);
  const { signal } = controller;
  void (async () => {
    try {
      const requests = toRequests(outbox);
      for await (const { reply } of streams.bidirectionalStream(requests, { ...options, signal })) {
        await inbox.push(reply);
      }
      inbox.end();
      outbox.fail(new ConnectError("the server has ended the chat", Code.Canceled));
    } catch (error) {
      const cause = toRollcallError(error);
      inbox.fail(cause);
      outbox.fail(cause);
    } finally {
      controller.abort();
    }
  })();
  const cancel = () => {
    const canceled = new ConnectError("the chat was canceled", Code.Canceled);
    controller.abort(canceled);
    inbox.fail(canceled);
    outbox.fail(canceled);
  };
  return {
    send: (message) => outbox.push(message),
    end: () => outbox.end(new ConnectError("the chat takes no messages after its end", Code.Canceled)),
    [Symbol.asyncIterator]() {
      const replies = inbox[Symbol.asyncIterator]();
      return {
        next: () => replies.next(),
        // Does not wait for a reply, as a generator would.
        async return() {
          cancel();
          return { done: true, value: undefined };
        },
      };
    },
    [Symbol.dispose]: cancel,
  };
}

async function* toRequests(messages: AsyncIterable<string>) {
  for await (const message of messages) yield { message };
}
