import { once } from "node:events";
import net, { type AddressInfo, type Socket } from "node:net";

/** A TCP server, such as a proxy between the client and the real one. */
export interface TcpServer extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  /** Number of open connections. */
  readonly openCount: number;
  /** Number of all connections so far. */
  readonly acceptedCount: number;
  /** Resets every connection. */
  reset(): void;
  /** Accepts no more connections. Those that are open stay. */
  refuse(): void;
}

export interface TcpProxyOptions {
  /** Default: any that is free. */
  port?: number | undefined;
  /** Called with the bytes that the client sends. May change or withhold them. */
  onRequestBytes?: ((bytes: Buffer, socket: Socket) => Buffer | undefined) | undefined;
  /** Called with the bytes that the server sends. May change or withhold them. */
  onResponseBytes?: ((bytes: Buffer, socket: Socket) => Buffer | undefined) | undefined;
}

/**
 * Passes bytes between client and server, with the faults that the options make.
 *
 * @param target Port of the server, or a function that returns it for each new connection.
 */
export async function startTcpProxy(
  target: number | (() => number),
  options: TcpProxyOptions = {},
): Promise<TcpServer> {
  const { onRequestBytes = (bytes) => bytes, onResponseBytes = (bytes) => bytes, port } = options;
  return startTcpServer((socket) => {
    const upstream = net.connect(typeof target === "number" ? target : target(), "127.0.0.1");
    const forward = (from: Socket, to: Socket, change: NonNullable<TcpProxyOptions["onRequestBytes"]>) => {
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

/** Accepts connections and never sends anything. */
export function startSilentServer(): Promise<TcpServer> {
  return startTcpServer((socket) => socket.resume());
}

/** Starts a TCP server that passes each connection to `onConnection`. */
export async function startTcpServer(onConnection: (socket: Socket) => unknown, port = 0): Promise<TcpServer> {
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
  const closed = once(server, "close");
  const { port: listeningPort } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${listeningPort}`,
    port: listeningPort,
    get openCount() {
      return sockets.size;
    },
    get acceptedCount() {
      return acceptedCount;
    },
    reset() {
      for (const socket of sockets) socket.resetAndDestroy();
    },
    refuse: () => void server.close(),
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await closed;
    },
  };
}
