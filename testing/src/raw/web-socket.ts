import { once } from "node:events";
import { connect } from "node:net";
import { create, toBinary } from "@bufbuild/protobuf";
import { encodeEnvelope } from "@connectrpc/connect/protocol";
import { BidiRequestSchema, ClientStreamRequestSchema } from "@rollcall/gen/stream/v1/stream";
import { type ClientOptions, WebSocket } from "ws";
import type { TestServer } from "../start-server.ts";

export const CHAT = "/stream.v1.StreamService/BidirectionalStream";
export const UPLOAD = "/stream.v1.StreamService/ClientStream";
export const PROBE = "/probe.v1.ProbeService/BidiStream";
export const HALF_CLOSE = Buffer.of(1);

/** Opens a socket as an attacker would use it, with frames made by hand. */
export function openSocket(server: TestServer, options: ClientOptions & { path?: string; protocol?: string } = {}) {
  const { path = CHAT, protocol = "grpc-websockets", ...rest } = options;
  const ws = new WebSocket(`${server.url.replace("http", "ws")}${path}`, protocol, rest);
  const received: Buffer[] = [];
  ws.on("message", (data: Buffer) => received.push(data));
  ws.on("error", () => {});
  const refused = new Promise<number>((resolve) => {
    ws.once("unexpected-response", (request, response) => {
      resolve(response.statusCode ?? 0);
      request.destroy();
    });
  });
  const opened = new Promise((resolve) => ws.once("open", resolve));
  return {
    ws,
    opened,
    received,
    /** Resolves with the status of the refusal; "open" when there is none. */
    outcome: Promise.race([refused, opened.then(() => "open" as const)]),
    /** Resolves with the close code, and the grpc-status that came in-band. */
    closed: new Promise<{ code: number; status: number }>((resolve) => {
      ws.once("close", (code) => {
        const [, status] = /grpc-status: (\d+)/.exec(Buffer.concat(received).toString("latin1")) ?? [];
        resolve({ code, status: Number(status) });
      });
    }),
  };
}

/** Returns the header block of a call that is permitted. */
export async function headerBlock(server: TestServer, more = ""): Promise<Buffer> {
  const { authorization } = await server.auth();
  return Buffer.from(`content-type: application/grpc-web+proto\r\nauthorization: ${authorization}\r\n${more}`);
}

export const body = (bytes: Uint8Array) => Buffer.concat([Buffer.of(0), bytes]);
export const say = (message: string) =>
  body(encodeEnvelope(0, toBinary(BidiRequestSchema, create(BidiRequestSchema, { message }))));
export const chunk = (bytes: number) =>
  body(
    encodeEnvelope(
      0,
      toBinary(ClientStreamRequestSchema, create(ClientStreamRequestSchema, { chunk: new Uint8Array(bytes) })),
    ),
  );

/** Opens a socket and begins a call on it. */
export async function begin(server: TestServer, path = CHAT, more = "", headers: Record<string, string> = {}) {
  const socket = openSocket(server, { path, headers });
  await socket.opened;
  socket.ws.send(await headerBlock(server, more));
  return socket;
}

/** Opens a WebSocket by hand. It continues to send, whatever the server answers. */
export async function openRawSocket(server: Pick<TestServer, "port">, headerBlock: string, path = UPLOAD) {
  const socket = connect(server.port, "127.0.0.1");
  socket.on("error", () => {});
  socket.write(
    `GET ${path} HTTP/1.1\r\nhost: localhost:${server.port}\r\nconnection: upgrade\r\nupgrade: websocket\r\n` +
      "sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n" +
      "sec-websocket-protocol: grpc-websockets\r\n\r\n",
  );
  await once(socket, "data");
  socket.resume();
  // Clients must mask their frames; this mask changes nothing.
  const frame = (payload: Buffer) => {
    const head = Buffer.alloc(14);
    head.writeUInt8(0x82, 0);
    head.writeUInt8(0x80 | 127, 1);
    head.writeBigUInt64BE(BigInt(payload.length), 2);
    return Buffer.concat([head, payload]);
  };
  socket.write(frame(Buffer.from(headerBlock)));
  return { socket, send: (payload: Buffer) => socket.write(frame(payload)) };
}
