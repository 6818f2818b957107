import { type CommonOptions, createCallChain, DEFAULT_TIMEOUT_MS } from "./options.ts";
import { loadStreams } from "./parts.ts";
import { Rollcall } from "./rollcall.ts";
import { chatToCome } from "./streams/chat-to-come.ts";
import { Streams } from "./streams.ts";
import { closable } from "./transports/closable.ts";
import { createFetchTransport, type FetchTransportOptions } from "./transports/fetch.ts";

export type RollcallOptions = CommonOptions & FetchTransportOptions;

/**
 * Creates a client over fetch and WebSocket, for browsers and any other platform that has them.
 *
 * @throws TypeError for a baseUrl that is no address of a server, and for options that are not as their types say.
 */
export function createRollcall(options: RollcallOptions): Rollcall {
  const { timeoutMs = DEFAULT_TIMEOUT_MS } = options;
  const { interceptors, closing } = createCallChain(options);
  const transport = closable(createFetchTransport({ ...options, timeoutMs, interceptors }));
  return new Rollcall({
    closing,
    renewsTokens: options.getToken !== undefined,
    transport,
    createStreams: (calls) =>
      new Streams(calls, {
        upload: async (...upload) => (await loadStreams()).uploadInPage(...upload),
        openChat: (...chat) => chatToCome(loadStreams().then(({ openChat }) => openChat(...chat))),
      }),
    close: () => transport.close(),
  });
}
