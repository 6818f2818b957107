import type { DescMethod, DescMethodStreaming, DescMethodUnary, Message, Registry } from "@bufbuild/protobuf";
import { createFetchTransport, preloadStreams } from "@rollcall/client";
import { BoundedQueue } from "@rollcall/shared/bounded-queue";
import { useRef, useState } from "react";
import { letObserve } from "../../api/observer.ts";
import { BASE_URL } from "../../base.ts";
import type { CallSnapshot } from "../../calls/call-record.ts";
import { type BegunCall, useCall } from "../../calls/use-call.ts";
import { authenticate } from "../../session/authenticate.ts";
import { useFirstSign } from "../../ui/use-first-sign.ts";
import { streamsRequests, type Via } from "../vias.ts";
import { MessageLog } from "./message-log.ts";
import { messageText } from "./to-text.ts";

/** Settings of one call. */
export interface CallSettings {
  readonly via: Via;
  readonly withToken: boolean;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly timeoutMs: number | undefined;
}

export interface Exchange {
  /** State of the latest call; undefined before the first one. */
  readonly snapshot: CallSnapshot | undefined;
  readonly running: boolean;
  /** Messages of the latest call. */
  readonly log: MessageLog;
  /** Whether the present call accepts further messages. */
  readonly isOpen: boolean;
  /** Sends a message: in the present call if that accepts one, else in a new call. */
  send(message: Message, settings: CallSettings): void;
  /** Ends the requests of the present call. The answers continue to their end. */
  halfClose(): void;
  cancel(): void;
}

/** Most messages that wait to be sent. One more ends the call, since something blocks it. */
const MAX_UNSENT = 100;

/** Makes the calls of a method, one at a time. */
export function useExchange(method: DescMethod, registry: Registry): Exchange {
  const call = useCall();
  const [log, setLog] = useState(() => new MessageLog());
  const [requests, setRequests] = useState<BoundedQueue<Message>>();
  const unsent = useRef(0);
  useFirstSign(preloadStreams);

  const begin = (message: Message, settings: CallSettings) => {
    const next = new MessageLog();
    setLog(next);
    const { options, fail } = call.begin(false, (direction, sent, atMs) => {
      if (direction === "sent") unsent.current--;
      next.add(direction, atMs, messageText(direction === "sent" ? method.input : method.output, sent, registry));
    });
    const queue = new BoundedQueue<Message>(MAX_UNSENT);
    unsent.current = 1;
    void queue.push(message);
    if (streamsRequests(method)) setRequests(queue);
    else queue.end();
    void exchange(method, queue, message, settings, options)
      // If an error occurs before there is a call, such as for a header that can't be sent, it is not in the record
      // yet.
      .catch(fail)
      .finally(() => {
        queue.end();
        setRequests((current) => (current === queue ? undefined : current));
      });
  };
  return {
    snapshot: call.snapshot,
    running: call.running,
    log,
    isOpen: call.running && requests !== undefined,
    send(message, settings) {
      if (!call.running || !requests) return begin(message, settings);
      if (++unsent.current > MAX_UNSENT) return call.cancel();
      requests.push(message).catch(() => {});
    },
    halfClose() {
      requests?.end();
      setRequests(undefined);
    },
    cancel: call.cancel,
  };
}

/** Makes a call to its end, once. The record in its options receives the outcome. */
async function exchange(
  method: DescMethod,
  requests: AsyncIterable<Message>,
  message: Message,
  { via, withToken, headers, timeoutMs }: CallSettings,
  { signal, contextValues }: BegunCall["options"],
): Promise<void> {
  const transport = createFetchTransport({
    baseUrl: BASE_URL,
    protocol: via,
    interceptors: withToken ? [authenticate, letObserve] : [letObserve],
  });
  const header = headers.map(([name, value]): [string, string] => [name, value]);
  if (method.methodKind === "unary") {
    await transport.unary(method as DescMethodUnary, signal, timeoutMs, header, message, contextValues);
    return;
  }
  const response = await transport.stream(
    method as DescMethodStreaming,
    signal,
    timeoutMs,
    header,
    requests,
    contextValues,
  );
  for await (const _ of response.message) {
    // Ignore: the record already has the message.
  }
}
