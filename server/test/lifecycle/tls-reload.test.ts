import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import tls from "node:tls";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { StreamService } from "@rollcall/gen/stream/v1/stream";
import { UserService } from "@rollcall/gen/user/v1/user";
import { createCertificateAuthority } from "@rollcall/testing/certificates";
import { startProcess } from "@rollcall/testing/start-process";
import { startServer, type TestServer, until } from "@rollcall/testing/start-server";
import { afterAll, describe, expect, test } from "vitest";

const authority = await createCertificateAuthority("Test CA");
const nextAuthority = await createCertificateAuthority("Next CA");
const hosts = ["localhost", "127.0.0.1"];
const before = await authority.issue({ commonName: "before", hosts });
const after = await authority.issue({ commonName: "after", hosts });
const past = { notBefore: new Date("2020-01-01"), notAfter: new Date("2021-01-01") };
const expired = await authority.issue({ commonName: "expired", hosts, ...past });
const client = await authority.issue({ commonName: "client" });
const nextClient = await nextAuthority.issue({ commonName: "client" });

/** Makes a new connection. Returns the common name of the server's certificate, and whether the session was resumed. */
async function handshake(port: number, options: tls.ConnectionOptions = {}) {
  const socket = tls.connect({ port, host: "127.0.0.1", servername: "localhost", ca: authority.cert, ...options });
  let session: Buffer | undefined;
  socket.on("session", (one) => {
    session = one;
  });
  try {
    // Over TLS 1.3, a server refuses a client's certificate only after the client has completed its handshake. Only an
    // answer shows that the client was let in.
    socket.write("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    const closed = once(socket, "close").then(() => Promise.reject(new Error("closed without an answer")));
    await Promise.race([once(socket, "data"), closed]);
    const subject = socket.getPeerX509Certificate()?.subject.replace("CN=", "");
    return { subject, isResumed: socket.isSessionReused(), session };
  } finally {
    socket.destroy();
  }
}

const shown = async ({ port }: TestServer) => (await handshake(port)).subject;

describe("replaced certificates", () => {
  test("go to new connections, while calls and connections of before go on", async () => {
    await using server = await startServer({ tls: before });
    const transport = createGrpcTransport({
      baseUrl: server.url,
      nodeOptions: { ca: authority.cert },
      interceptors: [
        (next) => async (request) => {
          request.header.set("authorization", `Bearer ${await server.token()}`);
          return next(request);
        },
      ],
    });
    const [users, streams] = [createClient(UserService, transport), createClient(StreamService, transport)];
    const { promise: replaced, resolve: goOn } = Promise.withResolvers<void>();
    async function* messages() {
      yield { message: "before" };
      await replaced;
      yield { message: "after" };
    }
    const replies = streams.bidirectionalStream(messages())[Symbol.asyncIterator]();
    const { value: first } = await replies.next();
    const calls = Array.from({ length: 20 }, () => users.listUsers({}));
    server.app.replaceTls(after);
    expect(await shown(server)).toBe("after");
    goOn();
    const { value: second } = await replies.next();
    expect(second?.reply).toBe(first?.reply.replace("before", "after"));
    await Promise.all([...calls, users.listUsers({})]);
  });

  test("that can't be used are refused, and the old ones serve on", async () => {
    await using server = await startServer({ tls: { ...before, clientCa: undefined } });
    for (const bad of [
      { cert: after.cert, key: before.key },
      { cert: "", key: after.key },
      { cert: after.cert, key: after.key.slice(0, 80) },
      expired,
    ]) {
      expect(() => server.app.replaceTls(bad)).toThrow();
      expect(await shown(server)).toBe("before");
    }
    server.app.replaceTls(after);
    expect(await shown(server)).toBe("after");
  });

  test("of client authorities decide on new connections, also of a client that would resume a session", async () => {
    await using server = await startServer({ tls: { ...before, clientCa: authority.cert } });
    const { session } = await handshake(server.port, client);
    // The control: the session is good for as long as the authorities stay.
    expect(await handshake(server.port, { ...client, session })).toMatchObject({ isResumed: true });
    server.app.replaceTls({ ...before, clientCa: nextAuthority.cert });
    await expect(handshake(server.port, { ...client, session })).rejects.toThrow();
    await expect(handshake(server.port, client)).rejects.toThrow();
    expect(await handshake(server.port, nextClient)).toMatchObject({ isResumed: false });
  });
});

test("a server reads its files again on SIGHUP, and keeps what serves when they are bad", async () => {
  const folder = mkdtempSync(join(tmpdir(), "rollcall-reload-"));
  afterAll(() => rmSync(folder, { recursive: true }));
  const path = (name: string) => join(folder, name);
  const write = ({ cert, key }: { cert: string; key: string }) => {
    writeFileSync(path("cert.pem"), cert);
    writeFileSync(path("key.pem"), key);
  };
  write(before);
  await using server = await startProcess({
    env: { TLS_CERT_FILE: path("cert.pem"), TLS_KEY_FILE: path("key.pem") },
  });
  const { port } = new URL(server.url);
  const hangUp = async (message: RegExp) => {
    server.process.kill("SIGHUP");
    await until(() => message.test(server.output()));
  };
  write({ ...after, key: before.key });
  await hangUp(/"level":"error".*"problems":\["TLS_KEY_FILE: .*not the key of.*"msg":"certificates not read again/);
  expect((await handshake(Number(port))).subject).toBe("before");
  write(after);
  await hangUp(/"level":"info".*"msg":"certificates read again/);
  expect((await handshake(Number(port))).subject).toBe("after");
  expect(server.output()).not.toContain("PRIVATE KEY");
});
