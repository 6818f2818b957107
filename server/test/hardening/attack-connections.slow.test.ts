import { once } from "node:events";
import http2 from "node:http2";
import { BlockList, connect, type Socket } from "node:net";
import { createClient } from "@connectrpc/connect";
import { UserService } from "@rollcall/gen/user/v1/user";
import { createCellTransport, http2Cells, startServerFor } from "@rollcall/testing/matrix";
import { frame, HEADERS, headerBlock, PING, RawHttp2 } from "@rollcall/testing/raw/http2";
import { startServer, type TestServer, until } from "@rollcall/testing/start-server";
import { describe, expect, test } from "vitest";

/** Resolves when the socket has ended, on either side. */
function ended(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once("close", () => resolve()));
}

function open(server: TestServer, localAddress?: string): Socket {
  const socket = connect({ port: server.port, host: "127.0.0.1", ...(localAddress && { localAddress }) });
  socket.on("error", () => {});
  socket.resume();
  return socket;
}

const limits = { handshakeTimeoutMs: 400 };
const get = headerBlock({ ":method": "GET", ":scheme": "http", ":path": "/healthz", ":authority": "a" });

describe("an HTTP/2 connection is closed that", () => {
  test("begins with the preface, and says no more", async () => {
    await using server = await startServer({ limits });
    const socket = open(server);
    socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    await ended(socket);
  });

  test("has no request in time", async () => {
    await using server = await startServer({ limits });
    const client = await RawHttp2.open(server.port);
    await client.closed;
    expect(client.goawayCode).toBe(0);
  });

  test.each([
    ["half a frame", frame(HEADERS, 5, 1, get).subarray(0, 20)],
    ["no end of its headers", frame(HEADERS, 1, 1, get)],
    ["nothing but a frame's first byte", frame(HEADERS, 5, 1, get).subarray(0, 1)],
  ])("sends a first header with %s", async (_name, bytes) => {
    await using server = await startServer({ limits });
    const client = await RawHttp2.open(server.port);
    client.send(bytes);
    await client.closed;
  });

  test("sends half a header behind a complete call", async () => {
    await using server = await startServer({ limits });
    const client = await RawHttp2.open(server.port);
    client.request({ ":method": "GET", ":scheme": "http", ":path": "/healthz", ":authority": "a" }, 1);
    await client.next(({ type, streamId }) => type === HEADERS && streamId === 1);
    client.send(frame(HEADERS, 1, 3, get));
    await client.closed;
  });

  test("does not close its side when the server has", async () => {
    await using server = await startServer({ limits: { ...limits, idleTimeoutMs: 200 } });
    // The client's socket stays half open, like that of a client that never reads.
    const socket = connect({ port: server.port, host: "127.0.0.1", allowHalfOpen: true });
    socket.on("error", () => {});
    socket.write(Buffer.concat([Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), frame(4, 0, 0)]));
    socket.resume();
    await once(socket, "end");
    // The peer answers with a reset only if its socket is gone.
    await until(() => {
      if (!socket.destroyed) socket.write(frame(PING, 0, 0, Buffer.alloc(8)));
      return socket.destroyed;
    });
  });
});

/** Tries with a time limit, and if that fails with twice the limit: on a busy machine, a first request comes late. */
async function inTime(timeMs: number, attempt: (timeMs: number) => Promise<void>): Promise<void> {
  try {
    return await attempt(timeMs);
  } catch (error) {
    if (timeMs > 10_000) throw error;
  }
  await inTime(2 * timeMs, attempt);
}

test("a connection that has had a call stays, quiet or pinging, and serves its next one", async () => {
  await inTime(limits.handshakeTimeoutMs, async (handshakeTimeoutMs) => {
    await using server = await startServer({ limits: { handshakeTimeoutMs } });
    const session = http2.connect(server.url);
    session.on("error", () => {});
    const call = async () => {
      const stream = session.request({ ":path": "/healthz" });
      const [headers] = await once(stream, "response");
      stream.resume();
      await once(stream, "close");
      return headers[":status"];
    };
    expect(await call()).toBe(200);
    for (let i = 0; i < 3; i++) {
      await new Promise((resolve) => setTimeout(resolve, handshakeTimeoutMs));
      if (!session.destroyed) await new Promise((resolve) => session.ping(resolve));
    }
    expect(await call()).toBe(200);
    session.destroy();
  });
});

test.each(http2Cells)(
  "a client that sends its first call after its connection was closed is served: $protocol over $connection",
  async (cell) => {
    await inTime(2_000, async (handshakeTimeoutMs) => {
      await using server = await startServerFor(cell, { limits: { handshakeTimeoutMs } });
      const users = createClient(UserService, await createCellTransport(server, cell));
      await users.listUsers({});
      await new Promise((resolve) => setTimeout(resolve, handshakeTimeoutMs * 1.2));
      await users.listUsers({});
    });
  },
);

describe("connections of one address", () => {
  /** Limits that let silent connections stay for as long as a busy machine needs to open all of them. */
  const perAddress = { maxConnectionsPerAddress: 20, handshakeTimeoutMs: 60_000 };

  async function isServed(server: TestServer, localAddress: string): Promise<boolean> {
    const socket = open(server, localAddress);
    let answer = "";
    socket.on("data", (chunk) => {
      answer += chunk;
    });
    socket.write("GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    await ended(socket);
    return answer.startsWith("HTTP/1.1 200");
  }

  test("have a number of their own, and keep nobody else out", async () => {
    await using server = await startServer({ limits: { ...perAddress, maxConnections: 60 } });
    const sockets = Array.from({ length: 300 }, () => open(server, "127.0.0.2"));
    const closed = sockets.map(ended);
    await Promise.race(closed);
    let openSockets = sockets.length;
    for (const end of closed) end.then(() => openSockets--);
    await until(() => openSockets === 20);
    expect(await isServed(server, "127.0.0.3")).toBe(true);
    expect(await isServed(server, "127.0.0.2")).toBe(false);
    const lines = server.log.filter(({ msg }) => msg === "connections refused: one address has too many");
    expect(lines).toMatchObject([{ address: "127.0.0.2" }]);
    for (const socket of sockets) socket.destroy();
    while (!(await isServed(server, "127.0.0.2")));
  });

  test("keep everybody out where they have no number of their own", async () => {
    await using server = await startServer({
      limits: { ...perAddress, maxConnectionsPerAddress: 1e6, maxConnections: 60 },
    });
    const sockets = Array.from({ length: 100 }, () => open(server, "127.0.0.2"));
    await Promise.race(sockets.map(ended));
    expect(await isServed(server, "127.0.0.3")).toBe(false);
    for (const socket of sockets) socket.destroy();
  });

  test("have none where the address is a trusted proxy's", async () => {
    const trustedProxies = new BlockList();
    trustedProxies.addSubnet("127.0.0.0", 30);
    await using server = await startServer({ limits: { ...perAddress, trustedProxies } });
    const sockets = Array.from({ length: 50 }, () => open(server, "127.0.0.2"));
    await Promise.all(sockets.map((socket) => once(socket, "connect")));
    expect(await isServed(server, "127.0.0.2")).toBe(true);
    for (const socket of sockets) socket.destroy();
  });

  test("keep nobody out with the defaults: 5,000 idle ones", async () => {
    await using server = await startServer();
    const sockets: Socket[] = [];
    for (let i = 0; i < 5_000; i += 500) {
      const more = Array.from({ length: 500 }, () => open(server, "127.0.0.2"));
      await Promise.all(more.map((socket) => once(socket, "connect").catch(() => {})));
      sockets.push(...more);
    }
    expect(await isServed(server, "127.0.0.3")).toBe(true);
    for (const socket of sockets) socket.destroy();
  });
});

test("an HTTP/1.1 connection is closed that stays open behind its last answer", async () => {
  await using server = await startServer();
  const socket = connect({ port: server.port, host: "127.0.0.1", allowHalfOpen: true });
  const closed = ended(socket);
  let answer = "";
  socket.on("error", () => {});
  socket.on("data", (bytes) => {
    answer += bytes.toString("latin1");
  });
  socket.write(
    "POST /stream.v1.StreamService/BidirectionalStream HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\n",
  );
  await once(socket, "end");
  // Only a write shows this client that the server has closed the other half, too.
  const drip = setInterval(() => socket.write(" "), 100);
  await closed;
  clearInterval(drip);
  expect(answer).toMatch(/^HTTP\/1\.1 505 /);
});
