import { once } from "node:events";
import http2 from "node:http2";
import net, { type AddressInfo, type Socket } from "node:net";

/** A TCP server in the client's way to the real one. */
export interface Proxy extends AsyncDisposable {
  readonly url: string;
  /** Connections that are open now. */
  readonly openCount: number;
  /** Connections that there have been. */
  readonly acceptedCount: number;
  /** Resets every connection. */
  reset(): void;
}

export interface ProxyOptions {
  /** Default: any that is free. */
  port?: number | undefined;
  /** Sees, and may change or withhold, what the client sends. */
  onRequestBytes?: ((bytes: Buffer, socket: Socket) => Buffer | undefined) | undefined;
  /** Sees, and may change or withhold, what the server sends. */
  onResponseBytes?: ((bytes: Buffer, socket: Socket) => Buffer | undefined) | undefined;
}

/** Passes bytes between client and server, with faults as the options make them. */
export async function startProxy(targetPort: number, options: ProxyOptions = {}): Promise<Proxy> {
  const { onRequestBytes = (bytes) => bytes, onResponseBytes = (bytes) => bytes, port } = options;
  return listen((socket) => {
    const upstream = net.connect(targetPort, "127.0.0.1");
    const forward = (from: Socket, to: Socket, change: NonNullable<ProxyOptions["onRequestBytes"]>) => {
      from.on("data", (bytes) => {
        if (typeof bytes === "string") return;
        const changed = change(bytes, socket);
        if (changed && !to.write(changed)) {
          from.pause();
          to.once("drain", () => from.resume());
        }
      });
      from.on("error", () => to.destroy());
      from.on("close", () => to.destroy());
    };
    forward(socket, upstream, onRequestBytes);
    forward(upstream, socket, onResponseBytes);
  }, port);
}

/** Accepts connections and never says a word. */
export function startSilentServer(): Promise<Proxy> {
  return listen((socket) => socket.resume());
}

/**
 * An HTTP/2 server in front of the real one: the given number of streams are ended by
 * RST_STREAM with the code as they arrive, and the rest are passed on.
 */
export async function startResettingProxy(
  targetUrl: string,
  code: number,
  count: number,
): Promise<AsyncDisposable & { url: string; resetCount: number }> {
  const upstream = http2.connect(targetUrl);
  const server = http2.createServer();
  const sessions = new Set<http2.ServerHttp2Session>();
  server.on("session", (session) => {
    sessions.add(session);
    session.on("close", () => sessions.delete(session));
  });
  const state = { resetCount: 0 };
  server.on("stream", (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => {
    stream.on("error", () => {});
    if (state.resetCount < count) {
      state.resetCount += 1;
      stream.close(code);
      return;
    }
    const { ":authority": _authority, ...forwarded } = headers;
    const request = upstream.request(forwarded);
    request.on("error", () => stream.close());
    let trailers: http2.IncomingHttpHeaders = {};
    request.on("response", (responseHeaders) => {
      stream.respond(responseHeaders, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers(trailers));
      request.on("trailers", (received) => {
        trailers = received;
      });
      request.pipe(stream);
    });
    stream.pipe(request);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get resetCount() {
      return state.resetCount;
    },
    async [Symbol.asyncDispose]() {
      upstream.destroy();
      for (const session of sessions) session.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

/** A TCP server that does with each connection what it is told. */
export async function listen(onConnection: (socket: Socket) => unknown, port = 0): Promise<Proxy> {
  const sockets = new Set<Socket>();
  let acceptedCount = 0;
  const server = net.createServer((socket) => {
    acceptedCount += 1;
    sockets.add(socket);
    socket.on("error", () => {}).on("close", () => sockets.delete(socket));
    onConnection(socket);
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get openCount() {
      return sockets.size;
    },
    get acceptedCount() {
      return acceptedCount;
    },
    reset() {
      for (const socket of sockets) socket.resetAndDestroy();
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
