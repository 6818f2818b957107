import { Code, ConnectError, type Transport } from "@connectrpc/connect";
import { checkOptions, type Rules } from "./internal/check-options.ts";
import { type CommonOptions, createCallChain, DEFAULT_TIMEOUT_MS } from "./options.ts";
import { loadStreams } from "./parts.ts";
import { Rollcall } from "./rollcall.ts";
import { chatToCome } from "./streams/chat-to-come.ts";
import { Streams } from "./streams.ts";
import { createFetchTransport, type FetchTransportOptions } from "./transports/fetch.ts";

export type RollcallOptions = CommonOptions & FetchTransportOptions;

const rules: Rules<FetchTransportOptions> = {
  protocol: ["connect", "grpc-web", "grpc-websockets"],
  useBinaryFormat: "boolean",
  useHttpGet: "boolean",
  readMaxBytes: 1,
  maxQueuedBytes: 1,
  connectTimeoutMs: 1,
};

/**
 * Creates a client over fetch and WebSocket, for browsers and any other platform that has them.
 *
 * @throws TypeError for a baseUrl that is no address of a server, and for options that are not as their types say.
 */
export function createRollcall(options: RollcallOptions): Rollcall {
  const { timeoutMs = DEFAULT_TIMEOUT_MS } = options;
  checkOptions(options, rules);
  const { interceptors, closing } = createCallChain(options);
  const transport = createFetchTransport({ ...options, timeoutMs, interceptors });
  const closed = new AbortController();
  return new Rollcall({
    closing,
    renewsTokens: options.getToken !== undefined,
    transport: untilClosed(transport, closed.signal),
    createStreams: (calls) =>
      new Streams(calls, {
        upload: async (...upload) => (await loadStreams()).uploadInPage(...upload),
        openChat: (...chat) => chatToCome(loadStreams().then(({ openChat }) => openChat(...chat))),
      }),
    async close() {
      closed.abort();
    },
  });
}

/** Refuses calls once the client is closed. The browser owns the connections, so there is nothing else to close. */
function untilClosed(transport: Transport, closed: AbortSignal): Transport {
  const check = () => {
    if (closed.aborted) throw new ConnectError("the client is closed", Code.Canceled);
  };
  return {
    async unary(...call) {
      check();
      return transport.unary(...call);
    },
    async stream(...call) {
      check();
      return transport.stream(...call);
    },
  };
}
