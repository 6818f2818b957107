/** An answer behind which the connection ends arrives, although its client is still sending the request. */
import { once } from "node:events";
import net, { type AddressInfo, type Socket } from "node:net";
import tls from "node:tls";
import { createCertificateAuthority } from "@rollcall/testing/certificates";
import { CHAT, UPLOAD } from "@rollcall/testing/raw/web-socket";
import { startServer } from "@rollcall/testing/start-server";
import { describe, expect, test } from "vitest";

const authority = await createCertificateAuthority("Test CA");
const certificate = await authority.issue({ commonName: "Server", hosts: ["localhost"] });

const CHUNKED = "content-type: application/connect+json\r\ntransfer-encoding: chunked\r\n\r\n";
const PIECE = `10000\r\n${"x".repeat(0x10000)}\r\n`;
const MORE_PIECES = 16;
const LAST_CHUNK = "0\r\n\r\n";
/** Bound of what is read and dropped: 64 MiB. */
const MAX_PIECES = 64 * 16;

const head = (path: string, more = "") => `POST ${path} HTTP/1.1\r\nhost: a\r\n${more}${CHUNKED}`;
const post = (path: string, more?: string) => head(path, more) + PIECE;
const cases = {
  "a bidirectional stream": { bytes: post(CHAT), status: 505 },
  "a call without a token whose client closes": { bytes: post(UPLOAD, "connection: close\r\n"), status: 200 },
  "an unknown method of HTTP": { bytes: `FOO / HTTP/1.1\r\nhost: a\r\n${CHUNKED}${PIECE}`, status: 400 },
  "a header that is too large": { bytes: `GET / HTTP/1.1\r\nx-pad: ${"x".repeat(70_000)}`, status: 431 },
  "a broken chunk": { bytes: `${head(UPLOAD, "authorization: TOKEN\r\n")}ZZ\r\n`, status: 400 },
};

/** A client that goes on to send after the server has closed its half of the connection. */
class SendingClient implements Disposable {
  readonly #socket: Socket;
  answer = "";
  fault: Error | undefined;

  constructor(port: number, bytes: string, ca?: string) {
    const options = { port, host: "localhost", allowHalfOpen: true };
    this.#socket = ca === undefined ? net.connect(options) : tls.connect({ ...options, ca });
    this.#socket.on("error", (error) => {
      this.fault = error;
    });
    this.#socket.on("data", (data) => {
      this.answer += data.toString("latin1");
    });
    this.#socket.write(bytes);
  }

  get status(): number {
    return Number(this.answer.split(" ", 2)[1]);
  }

  async readToEnd(): Promise<void> {
    if (!this.#socket.readableEnded) await once(this.#socket, "end");
  }

  /** Resolves when the kernel has accepted the bytes, or the connection is gone. */
  send(bytes: string): Promise<unknown> {
    return new Promise((resolve) => this.#socket.write(bytes, resolve));
  }

  async close(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#socket.once("close", () => resolve());
    this.#socket.end();
    if (!this.#socket.destroyed) await promise;
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }
}

async function sendOn(client: SendingClient): Promise<void> {
  await client.readToEnd();
  for (let index = 0; index < MORE_PIECES; index++) await client.send(PIECE);
}

const rows = Object.entries(cases).flatMap(([name, one]) => [
  { ...one, name, usesTls: false },
  { ...one, name: `${name}, over TLS`, usesTls: true },
]);

describe.concurrent("the client can send on and close in peace behind", () => {
  test.each(rows)("$name", async ({ bytes, status, usesTls }) => {
    await using server = await startServer(usesTls ? { tls: certificate } : {});
    const { authorization } = await server.auth();
    using client = new SendingClient(
      server.port,
      bytes.replace("TOKEN", authorization),
      usesTls ? authority.cert : undefined,
    );
    await sendOn(client);
    await client.send(LAST_CHUNK);
    await client.close();
    expect([client.status, client.fault]).toEqual([status, undefined]);
  });
});

test("control: behind a server that closes its connection at once, the client's bytes fail", async () => {
  const server = net.createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => socket.end("HTTP/1.1 505 x\r\n\r\n", () => socket.destroy()));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  using client = new SendingClient((server.address() as AddressInfo).port, "POST / HTTP/1.1\r\n\r\n");
  await sendOn(client);
  expect(client.fault).toMatchObject({ syscall: "write" });
  server.close();
});

test("a request behind the last answer is not handled", async () => {
  await using server = await startServer();
  const { authorization } = await server.auth();
  const email = "behind@example.com";
  const body = JSON.stringify({ email, name: "Behind" });
  using client = new SendingClient(server.port, post(CHAT));
  await client.readToEnd();
  await client.send(
    `${LAST_CHUNK}POST /user.v1.UserService/CreateUser HTTP/1.1\r\nhost: a\r\nauthorization: ${authorization}\r\n` +
      `content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  );
  await client.close();
  expect(client.answer.match(/HTTP\/1\.1 \d+/g)).toEqual(["HTTP/1.1 505"]);
  const list = await fetch(`${server.url}/user.v1.UserService/ListUsers`, {
    method: "POST",
    headers: { authorization, "content-type": "application/json" },
    body: "{}",
  });
  expect(await list.json()).toEqual({});
});

test("a client that never stops is cut", async () => {
  await using server = await startServer();
  using client = new SendingClient(server.port, post(CHAT));
  await client.readToEnd();
  let sent = 0;
  for (; !client.fault && sent < 20 * MAX_PIECES; sent++) await client.send(PIECE);
  expect(sent).toBeGreaterThan(MAX_PIECES);
  expect(client.fault).toBeDefined();
});
