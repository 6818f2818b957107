import { Code, ConnectError, type Interceptor, type Transport } from "@connectrpc/connect";
import { RollcallClient } from "./client.ts";
import { withCheckedHeaders } from "./internal/checked-headers.ts";
import { parseServerAddress } from "./internal/server-address.ts";
import { type CommonClientOptions, createInterceptors, DEFAULT_TIMEOUT_MS } from "./options.ts";
import { createSha256 } from "./streams/sha256.ts";
import { createFetchTransport, createGrpcWebFetchTransport } from "./transports/fetch.ts";

export interface RollcallClientOptions extends CommonClientOptions {
  /** Where the server is, as `https://rollcall.example.com`. */
  baseUrl: string;
  /** The protocol over fetch. Default "connect", with reads as GET. */
  protocol?: "connect" | "grpc-web" | undefined;
  /**
   * Makes the transport instead. Over fetch, a browser can call unary and
   * server-streaming methods only: uploads and chats need a transport that can stream
   * requests.
   */
  createTransport?: ((options: { baseUrl: string; interceptors: Interceptor[] }) => Transport) | undefined;
}

/**
 * A client over fetch, for browsers and whatever else has it.
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

/** The browser owns the connections: to close a client means that it makes no more calls. */
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
