import { createHash } from "node:crypto";
import * as http from "node:http";
import * as https from "node:https";
import type { AddressInfo } from "node:net";
import { type Duplex, Transform } from "node:stream";
import { testCa, testCertificate } from "@rollcall/testing/matrix";

export interface ReverseProxy extends AsyncDisposable {
  readonly url: string;
  /** Breaks every WebSocket. */
  cut(): void;
}

export interface ReverseProxyOptions {
  /** Host that replaces the one that the browser asked for. */
  host?: string;
  /** Path below which the server is, such as `/rollcall`. All other paths are a page of the proxy. */
  prefix?: string;
  /** Whether the server sees the prefix. Default false. */
  keepsPrefix?: boolean;
  /** Answers a request in the server's place, and returns whether it did so. */
  intercept?(request: http.IncomingMessage, response: http.ServerResponse): boolean;
  /** Never answers or passes on a request for a WebSocket. */
  swallowsUpgrades?: boolean;
  /** Answers a request for a WebSocket like any other, as proxies do that are not configured to pass them on. */
  ignoresUpgrades?: boolean;
  /** Opens every WebSocket itself, and passes nothing on. */
  fakesUpgrades?: boolean;
  /** Changes one byte of an upload over a WebSocket. */
  damages?: boolean;
  /** Holds an upload over a WebSocket after so many bytes, until it is released. */
  hold?: Hold;
}

export interface Hold {
  readonly afterBytes: number;
  /** Called when that many bytes have passed. */
  onHeld(): void;
  readonly released: Promise<void>;
}

/** Offset of a byte within the first chunks of an upload, past headers and the heads of frames. */
const DAMAGED_BYTE = 300_000;

function damageByte(): Transform {
  let passed = 0;
  return new Transform({
    transform(bytes: Buffer, _encoding, done) {
      const at = DAMAGED_BYTE - passed;
      passed += bytes.byteLength;
      // A frame is masked by XOR, so a bit that is flipped here is flipped in the unmasked bytes too.
      if (at >= 0 && at < bytes.byteLength) bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
      done(null, bytes);
    },
  });
}

function holdBack({ afterBytes, onHeld, released }: Hold): Transform {
  let passed = 0;
  return new Transform({
    transform(bytes: Buffer, _encoding, done) {
      passed += bytes.byteLength;
      if (passed < afterBytes) return done(null, bytes);
      onHeld();
      released.then(() => done(null, bytes));
    },
  });
}

/** Accepts a WebSocket (RFC 6455, 4.2.2) and connects it to nothing. */
function acceptUpgrade({ headers }: http.IncomingMessage, socket: Duplex): void {
  const key = `${headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
  const accept = createHash("sha1").update(key).digest("base64");
  const fields = `upgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-protocol: grpc-websockets\r\n`;
  socket.write(`HTTP/1.1 101 Switching Protocols\r\n${fields}sec-websocket-accept: ${accept}\r\n\r\n`);
  socket.resume();
}

/**
 * Starts a proxy in front of a server, with TLS on both sides if the server has TLS. Like
 * a careless proxy, it can replace the host that the browser asked for.
 */
export async function startReverseProxy(
  server: string,
  { host, prefix = "", keepsPrefix = false, damages = false, hold, ...own }: ReverseProxyOptions = {},
): Promise<ReverseProxy> {
  const { protocol, port } = new URL(server);
  const isSecure = protocol === "https:";
  const sockets = new Set<Duplex>();
  const forward = ({ method, url = "", headers }: http.IncomingMessage) =>
    (isSecure ? https : http).request({
      host: "localhost",
      port,
      method,
      path: keepsPrefix ? url : url.slice(prefix.length),
      headers: { ...headers, ...(host && { host }) },
      ca: testCa,
      agent: false,
    });
  const proxy = isSecure ? https.createServer(testCertificate) : http.createServer();
  proxy.on("request", (request: http.IncomingMessage, response: http.ServerResponse) => {
    if (!request.url?.startsWith(`${prefix}/`)) {
      return response.writeHead(404, { "content-type": "text/html" }).end("<h1>The proxy has no such page</h1>");
    }
    if (own.intercept?.(request, response)) return;
    const upstream = forward(request).on("response", (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    // At a test's end, the server can stop before a page's last request reaches it.
    upstream.on("error", () => response.destroy());
    request.pipe(upstream);
  });
  proxy.on("upgrade", (request: http.IncomingMessage, socket: Duplex) => {
    sockets.add(socket);
    socket.on("error", () => {});
    if (own.swallowsUpgrades) return;
    if (own.ignoresUpgrades) return socket.end("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
    if (own.fakesUpgrades) return acceptUpgrade(request, socket);
    forward(request)
      .on("response", (answer) => {
        socket.write(`HTTP/1.1 ${answer.statusCode} Refused\r\ncontent-length: 0\r\n\r\n`);
        socket.end();
      })
      .on("upgrade", (answer: http.IncomingMessage, upstream: Duplex) => {
        const fields = Object.entries(answer.headers).map(([name, value]) => `${name}: ${value}\r\n`);
        socket.write(`HTTP/1.1 101 Switching Protocols\r\n${fields.join("")}\r\n`);
        upstream.pipe(socket);
        const change = damages ? damageByte() : hold && holdBack(hold);
        (change ? socket.pipe(change) : socket).pipe(upstream);
        socket.on("close", () => upstream.destroy());
        upstream.on("error", () => {}).on("close", () => socket.destroy());
      })
      .on("error", () => socket.destroy())
      .end();
  });
  await new Promise<void>((resolve) => proxy.listen(0, "localhost", resolve));
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: `${protocol}//localhost:${(proxy.address() as AddressInfo).port}${prefix}`,
    cut,
    async [Symbol.asyncDispose]() {
      cut();
      proxy.closeAllConnections();
      await new Promise((resolve) => proxy.close(resolve));
    },
  };
}
