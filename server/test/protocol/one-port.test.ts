import { once } from "node:events";
import http2 from "node:http2";
import https from "node:https";
import net from "node:net";
import tls from "node:tls";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { UserService } from "@rollcall/gen/user/v1/user";
import { createCertificateAuthority } from "@rollcall/testing/certificates";
import { startServer, until } from "@rollcall/testing/start-server";
import { describe, expect, test } from "vitest";

const authority = await createCertificateAuthority("Test CA");
const hosts = ["localhost", "127.0.0.1", "::1"];
const server = await authority.issue({ commonName: "Server", hosts });
const client = await authority.issue({ commonName: "Client" });
const stranger = await (await createCertificateAuthority("Other CA")).issue({ commonName: "Client" });

/** Returns all that a plaintext HTTP/1.1 server sends until it closes the connection. */
async function send(port: number, chunks: string[], host = "127.0.0.1"): Promise<string> {
  const socket = net.connect(port, host);
  socket.setNoDelay(true);
  socket.on("error", () => {});
  const closed = once(socket, "close");
  let answer = "";
  socket.on("data", (chunk) => {
    answer += chunk.toString("latin1");
  });
  await once(socket, "connect");
  for (const chunk of chunks) {
    socket.write(chunk);
    // The server runs in this process, and gets turns to read the chunk before the next one.
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
  }
  socket.end();
  await closed;
  return answer;
}

const getHealth = "GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";

describe("plaintext", () => {
  test("both loopback families answer on the same port", async () => {
    await using target = await startServer();
    for (const host of ["127.0.0.1", "::1"])
      expect(await send(target.port, [getHealth], host)).toMatch(/^HTTP\/1.1 200/);
  });

  test("HTTP/1.1 that arrives a byte at a time is understood", async () => {
    await using target = await startServer();
    expect(await send(target.port, [...getHealth])).toMatch(/^HTTP\/1\.1 200.*"ok"/s);
  });

  test("a method that begins like HTTP/2's preface is HTTP/1.1's to refuse or serve", async () => {
    await using target = await startServer();
    const propfind = getHealth.replace("GET", "PROPFIND");
    expect(await send(target.port, [propfind.slice(0, 2), propfind.slice(2)])).toMatch(/^HTTP\/1\.1 405/);
    expect(await send(target.port, ["PRI * HTTP/1.1\r\n\r\n"])).toMatch(/^HTTP\/1\.1 400/);
  });

  test("HTTP/2 whose preface arrives in parts is understood", async () => {
    await using target = await startServer();
    const session = http2.connect(target.url, {
      createConnection: () => {
        const socket = net.connect(target.port, "127.0.0.1");
        const write = socket.write.bind(socket) as (chunk: Uint8Array) => boolean;
        // Only the first write is cut, since the preface begins it.
        socket.write = ((chunk: Uint8Array, ...rest: []) => {
          socket.write = write;
          write(chunk.subarray(0, 10));
          setTimeout(() => write(chunk.subarray(10)), 50);
          for (const callback of rest as (() => void)[]) if (typeof callback === "function") callback();
          return true;
        }) as typeof socket.write;
        return socket;
      },
    });
    const stream = session.request({ ":path": "/healthz" });
    const [headers] = await once(stream, "response");
    expect(headers[":status"]).toBe(200);
    session.destroy();
  });

  test("bytes that are neither get a 400 or nothing, and the server goes on", async () => {
    await using target = await startServer();
    for (const garbage of ["\0\0\0\0", "\x16\x03\x01\x02\x00", "PRI * HTTP/2.0\r\n\r\nXX", "hello\r\n\r\n"]) {
      expect(await send(target.port, [garbage])).toMatch(/^(HTTP\/1\.1 400|$)/);
    }
    const session = http2.connect(target.url);
    session.on("error", () => {});
    const socket = net.connect(target.port, "127.0.0.1");
    socket.on("error", () => {});
    socket.resume();
    socket.write(`PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${"garbage".repeat(100)}`);
    await once(socket, "close");
    expect(await send(target.port, [getHealth])).toMatch(/^HTTP\/1.1 200/);
    session.destroy();
  });

  test("a connection that is reset while it is undecided does no harm", async () => {
    await using target = await startServer();
    for (let i = 0; i < 20; i++) {
      const socket = net.connect(target.port, "127.0.0.1");
      await once(socket, "connect");
      if (i % 2) socket.write("PRI");
      socket.resetAndDestroy();
    }
    expect(await send(target.port, [getHealth])).toMatch(/^HTTP\/1.1 200/);
  });

  test("many requests in one write are all answered", async () => {
    await using target = await startServer();
    const pipelined = getHealth.replace("connection: close\r\n", "").repeat(9) + getHealth;
    expect((await send(target.port, [pipelined])).match(/HTTP\/1\.1 200/g)).toHaveLength(10);
  });
});

test("a connection has as many requests open at once over HTTP/1.1 as over HTTP/2", async () => {
  await using target = await startServer({
    limits: { maxConcurrentStreams: 10 },
    streams: { resultIntervalMs: 600_000 },
  });
  const { authorization } = await target.auth();
  const query =
    `POST /stream.v1.StreamService/ServerStream HTTP/1.1\r\nhost: a\r\nauthorization: ${authorization}\r\n` +
    `content-type: application/connect+json\r\ncontent-length: 18\r\n\r\n\0\0\0\0\r{"query":"q"}`;
  const socket = net.connect(target.port, "127.0.0.1");
  socket.on("error", () => {});
  let answers = "";
  socket.on("data", (chunk) => {
    answers += chunk.toString("latin1");
  });
  socket.write(query.repeat(10));
  // All ten came in one piece. When the first is answered, the others have been checked too.
  await until(() => answers.includes("Result 0"));
  expect(socket.closed).toBe(false);
  socket.write(query);
  await once(socket, "close");
});

test.each(["FOO", "get", "CONNEC"])("HTTP/2's method %s is not known", async (method) => {
  await using target = await startServer();
  const session = http2.connect(target.url);
  const stream = session.request({ ":method": method, ":path": "/" }).end();
  const [headers] = await once(stream, "response");
  expect(headers[":status"]).toBe(501);
  session.destroy();
  expect(target.log.filter(({ level }) => level !== "info")).toEqual([]);
});

test("two hosts are none", async () => {
  await using target = await startServer();
  expect(await send(target.port, [getHealth.replace("\r\n\r\n", "\r\nHost: b\r\n\r\n")])).toMatch(/^HTTP\/1.1 400/);
});

describe("TLS", () => {
  const statusOf = (port: number, options: https.RequestOptions) =>
    new Promise<number | undefined>((resolve, reject) => {
      const request = https.get({ host: "localhost", port, path: "/healthz", ca: authority.cert, ...options });
      request.on("response", (response) => resolve(response.resume().statusCode)).on("error", reject);
    });

  test("ALPN chooses between HTTP/2 and HTTP/1.1", async () => {
    await using target = await startServer({ tls: server });
    for (const httpVersion of ["1.1", "2"] as const) {
      const nodeOptions = { ca: authority.cert };
      const transport = createConnectTransport({ baseUrl: target.url, httpVersion, nodeOptions });
      const users = createClient(UserService, transport);
      expect(await users.listUsers({}, { headers: await target.auth() })).toMatchObject({ users: [] });
    }
    const alpn = async (ALPNProtocols: string[]) => {
      const socket = tls.connect({ host: "localhost", port: target.port, ca: authority.cert, ALPNProtocols });
      await once(socket, "secureConnect");
      socket.destroy();
      return socket.alpnProtocol;
    };
    expect(await alpn(["h2", "http/1.1"])).toBe("h2");
    expect(await alpn(["http/1.1"])).toBe("http/1.1");
    expect(await alpn([])).toBe(false);
    expect(await statusOf(target.port, {})).toBe(200);
  });

  test("versions before 1.2 are refused", async () => {
    await using target = await startServer({ tls: server });
    const weakest = "DEFAULT:@SECLEVEL=0";
    const old = { minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: weakest } as const;
    await expect(statusOf(target.port, old)).rejects.toThrow();
    expect(await statusOf(target.port, { maxVersion: "TLSv1.2" })).toBe(200);
    expect(await statusOf(target.port, { minVersion: "TLSv1.3" })).toBe(200);
  });

  test("with a client CA only its clients get in", async () => {
    await using target = await startServer({ tls: { ...server, clientCa: authority.cert } });
    const call = (nodeOptions: object) =>
      createClient(
        UserService,
        createGrpcTransport({ baseUrl: target.url, nodeOptions: { ca: authority.cert, ...nodeOptions } }),
      );
    const headers = await target.auth();
    expect(await call({ cert: client.cert, key: client.key }).listUsers({}, { headers })).toMatchObject({ users: [] });
    await expect(call({}).listUsers({}, { headers })).rejects.toThrow();
    await expect(call({ cert: stranger.cert, key: stranger.key }).listUsers({}, { headers })).rejects.toThrow();
    expect(await statusOf(target.port, { cert: client.cert, key: client.key })).toBe(200);
  });

  test("a handshake that does not come is cut off", async () => {
    await using target = await startServer({ tls: server, limits: { handshakeTimeoutMs: 200 } });
    const socket = net.connect(target.port, "127.0.0.1");
    socket.on("error", () => {});
    socket.resume();
    await once(socket, "close");
    expect(await statusOf(target.port, {})).toBe(200);
  });

  test("a handshake under way does not hold up the stop", async () => {
    const target = await startServer({ tls: server, shutdownGraceMs: 600_000 });
    const socket = net.connect(target.port, "127.0.0.1");
    socket.on("error", () => {});
    await once(socket, "connect");
    expect(await statusOf(target.port, {})).toBe(200);
    await target.app.close();
  });

  test("plaintext on its port does no harm", async () => {
    await using target = await startServer({ tls: server });
    expect(await send(target.port, [getHealth]).catch(() => "")).not.toMatch(/200/);
    expect(await statusOf(target.port, {})).toBe(200);
  });
});
