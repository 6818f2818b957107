import { once } from "node:events";
import http2 from "node:http2";
import { Agent } from "node:https";
import net from "node:net";
import tls from "node:tls";
import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
  Http2SessionManager,
} from "@connectrpc/connect-node";
import { StreamService } from "@rollcall/gen/stream/v1/stream";
import { UserService } from "@rollcall/gen/user/v1/user";
import { authenticate } from "@rollcall/testing/matrix";
import { CHAT, HALF_CLOSE, say, UPLOAD } from "@rollcall/testing/raw/web-socket";
import { WebSocket } from "ws";

export interface SoakTarget {
  readonly url: string;
  readonly port: number;
  readonly headers: { readonly authorization: string };
  /** Certificate authority of the server's certificate, in PEM. */
  readonly ca: string;
}

export interface Work {
  /** Number of calls made. */
  calls: number;
  /** Descriptions of the calls that ended in an unexpected way. */
  readonly failures: string[];
}

/** Pieces of requests that end in the middle. */
const HALVES = [
  "GET /healthz HT",
  `POST ${UPLOAD} HTTP/1.1\r\nhost: a\r\ncontent-type: application/connect+proto\r\ncontent-length: 1000\r\n\r\n\0`,
  "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0",
  "\u0001\u0002 no HTTP\r\n\r\n",
];

let nextUser = 0;

/**
 * Connects a client by each protocol. Each of its rounds makes calls of every kind, including some that must be
 * refused.
 */
export function connectAll({ url, headers, ca }: SoakTarget, work: Work): Disposable & { round(): Promise<void> } {
  const token = headers.authorization.replace("Bearer ", "");
  const common = { baseUrl: url, nodeOptions: { ca }, interceptors: [authenticate(token)] };
  const sessions = [new Http2SessionManager(url, {}, { ca }), new Http2SessionManager(url, {}, { ca })] as const;
  const agent = new Agent({ keepAlive: true, ca });
  const transports: readonly Transport[] = [
    createGrpcTransport({ ...common, sessionManager: sessions[0] }),
    createGrpcWebTransport({ ...common, httpVersion: "2", sessionManager: sessions[1] }),
    createConnectTransport({ ...common, nodeOptions: { agent }, httpVersion: "1.1", useBinaryFormat: false }),
  ];
  /** Makes a call, and records an unexpected end. */
  const make = async (name: string, call: () => Promise<unknown>, expected?: Code): Promise<void> => {
    work.calls += 1;
    const code = await call().then(
      () => undefined,
      (error: unknown) => ConnectError.from(error).code,
    );
    if (code !== expected) work.failures.push(`${name}: ${code === undefined ? "ok" : Code[code]}`);
  };
  const callUnary = async (transport: Transport) => {
    const users = createClient(UserService, transport);
    const email = `soak-${nextUser++}@example.com`;
    let id = "";
    await make("create", async () => {
      id = (await users.createUser({ email, name: "Ada" })).user?.id ?? "";
    });
    await make("get", () => users.getUser({ id }));
    await make("taken", () => users.createUser({ email, name: "Bob" }), Code.AlreadyExists);
    await make("list", () => users.listUsers({ pageSize: 10 }));
    await make("delete", () => users.deleteUser({ id }));
    await make("no such user", () => users.getUser({ id }), Code.NotFound);
    await make("bad fields", () => users.createUser({ email: "x" }), Code.InvalidArgument);
    await make("no token", () => users.listUsers({}, { headers: { authorization: "Bearer x" } }), Code.Unauthenticated);
  };
  const callStreams = async (transport: Transport, isDuplex: boolean) => {
    const streams = createClient(StreamService, transport);
    await make("server stream", () => Array.fromAsync(streams.serverStream({ query: "q" })));
    await make("upload", () => streams.clientStream(repeat({ chunk: new Uint8Array(16_384) }, 8)));
    if (isDuplex) await make("chat", () => Array.fromAsync(streams.bidirectionalStream(repeat({ message: "m" }, 3))));
    // The caller leaves after the first message.
    await make("left", async () => {
      for await (const _ of streams.serverStream({ query: "q" })) break;
    });
  };
  return {
    async round() {
      await Promise.all(
        transports.map(async (transport, index) => {
          await callUnary(transport);
          await callStreams(transport, index < 2);
        }),
      );
      await make("WebSocket", () => chatByWebSocket({ url, headers, ca }));
    },
    [Symbol.dispose]() {
      for (const session of sessions) session.abort();
      agent.destroy();
    },
  };
}

async function* repeat<T>(message: T, count: number): AsyncGenerator<T> {
  for (let i = 0; i < count; i++) yield message;
}

async function openWebSocket({ url, headers, ca }: Omit<SoakTarget, "port">): Promise<WebSocket> {
  const ws = new WebSocket(`${url.replace("http", "ws")}${CHAT}`, "grpc-websockets", { ca });
  ws.on("error", () => {});
  await once(ws, "open");
  const { authorization } = headers;
  ws.send(Buffer.from(`content-type: application/grpc-web+proto\r\nauthorization: ${authorization}\r\n`));
  ws.send(say("hello"));
  return ws;
}

async function chatByWebSocket(target: Omit<SoakTarget, "port">): Promise<void> {
  const ws = await openWebSocket(target);
  const received: Buffer[] = [];
  ws.on("message", (data: Buffer) => received.push(data));
  ws.send(HALF_CLOSE);
  await once(ws, "close");
  if (!Buffer.concat(received).includes("grpc-status: 0")) throw new ConnectError("no status", Code.Internal);
}

/**
 * Breaks connections off in all the ways that clients do: in the middle of a handshake, a header, a body or a stream.
 *
 * @param leavesOne Whether one connection is left open for good.
 */
export async function breakOff(target: SoakTarget, leavesOne: boolean): Promise<void> {
  const { url, port, headers, ca } = target;
  const raw = net.connect(port, "127.0.0.1");
  await once(raw, "connect");
  raw.on("error", () => {}).write("\u0016\u0003\u0001");
  const sockets = await Promise.all(
    HALVES.map(async (half) => {
      const socket = tls.connect({ port, host: "127.0.0.1", servername: "localhost", ca });
      socket.on("error", () => {});
      await once(socket, "secureConnect");
      await new Promise((resolve) => socket.write(half, "latin1", resolve));
      return socket;
    }),
  );
  const session = http2.connect(url, { ca });
  session.on("error", () => {});
  const streams = Array.from({ length: 4 }, () =>
    session.request({ ":method": "POST", ":path": CHAT, "content-type": "application/grpc", ...headers }),
  );
  for (const stream of streams) stream.on("error", () => {}).write(say("hello").subarray(1));
  await Promise.all(streams.map((stream) => once(stream, "response")));
  const ws = await openWebSocket(target);
  await once(ws, "message");
  for (const socket of [raw, ...sockets]) socket.destroy();
  if (!leavesOne) session.destroy();
  else (session.socket as net.Socket).unref();
  ws.terminate();
}
