import { Code, ConnectError, type Interceptor, type Transport } from "@connectrpc/connect";
import { RollcallClient } from "./client.ts";
import { withCheckedHeaders } from "./internal/checked-headers.ts";
import { parseServerAddress } from "./internal/server-address.ts";
import { type CommonClientOptions, createInterceptors, DEFAULT_TIMEOUT_MS } from "./options.ts";
import { createSha256 } from "./streams/sha256.ts";
import { createFetchTransport, createGrpcWebFetchTransport } from "./transports/fetch.ts";

export interface RollcallClientOptions extends CommonClientOptions {
  /** Address of the server, such as `https://rollcall.example.com`. */
  baseUrl: string;
  /** Protocol over fetch. Default "connect", with reads as GET. */
  protocol?: "connect" | "grpc-web" | undefined;
  /**
   * Creates the transport instead. Over fetch, a browser can call only unary and server-streaming methods: uploads and
   * chats need a transport that can stream requests.
   */
  createTransport?: ((options: { baseUrl: string; interceptors: Interceptor[] }) => Transport) | undefined;
}

/**
 * Creates a client over fetch, for browsers and any other platform that has it.
 *
 * @throws TypeError for a baseUrl that {@link parseServerAddress} refuses.
 */
export function createRollcallClient(options: RollcallClientOptions): RollcallClient {
  const { protocol, timeoutMs = DEFAULT_TIMEOUT_MS } = options;
  const byFetch = protocol === "grpc-web" ? createGrpcWebFetchTransport : createFetchTransport;
  const { createTransport = byFetch } = options;
  const closed = new AbortController();
  const baseUrl = parseServerAddress(options.baseUrl).href;
  const transport = createTransport({ baseUrl, interceptors: createInterceptors(options) });
  return new RollcallClient({
    transport: untilClosed(withCheckedHeaders(transport), closed.signal),
    timeoutMs,
    createSha256,
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
