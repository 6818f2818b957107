import { Agent } from "node:http";
import { Metadata } from "@grpc/grpc-js";
import { createCertificateAuthority } from "@rollcall/testing/certificates";
import { GrpcJsClient } from "@rollcall/testing/grpc-js";
import { ProbeService, withProbe } from "@rollcall/testing/probe-service";
import { rawRequest } from "@rollcall/testing/raw/http";
import { startServer, type TestServer, until } from "@rollcall/testing/start-server";
import { describe, expect, test } from "vitest";

const authority = await createCertificateAuthority("Age CA");
const certificate = await authority.issue({ commonName: "localhost", hosts: ["localhost"] });

/** Returns a function that counts the connections whose calls have ended so far. */
function countConnections({ log }: TestServer): () => number {
  const peers = new Set<unknown>();
  let seen = 0;
  return () => {
    for (; seen < log.length; seen++) if (log[seen]?.msg === "call") peers.add(log[seen]?.peer);
    return peers.size;
  };
}

describe.each([
  ["plaintext", undefined],
  ["TLS", certificate],
] as const)("over %s, a connection at its age", (_name, tls) => {
  test("takes no further call, and none is lost; a stream goes on", async () => {
    const released = Promise.withResolvers<void>();
    const probe = withProbe({
      unary: ({ value }) => ({ value }),
      async *serverStream() {
        yield { value: "first" };
        await released.promise;
        yield { value: "last" };
      },
    });
    await using server = await startServer({ ...probe, tls, limits: { maxConnectionAgeMs: 60 } });
    const metadata = new Metadata();
    metadata.set("authorization", (await server.auth()).authorization);
    // Retries are off, so that a refused call would be seen.
    const options = { "grpc.enable_retries": 0, "grpc.use_local_subchannel_pool": 1 };
    using stack = new DisposableStack();
    const clients = Array.from({ length: 4 }, () =>
      stack.use(new GrpcJsClient(server.port, metadata, tls && authority.cert, options)),
    );
    const stream = (clients[0] as GrpcJsClient).serverStream(ProbeService.method.serverStream, {});
    const messages: string[] = [];
    const ended = new Promise<void>((resolve, reject) => stream.on("end", resolve).on("error", reject));
    stream.on("data", ({ value }) => messages.push(value));
    await until(() => messages.length === 1);
    const connections = countConnections(server);
    let calls = 0;
    const workers = [...clients, ...clients].map(async (client) => {
      while (connections() < 8 || calls < 100) {
        await client.unary(ProbeService.method.unary, { value: "x" });
        calls += 1;
      }
    });
    await Promise.all(workers);
    released.resolve();
    await ended;
    expect(messages).toEqual(["first", "last"]);
  });
});

test("over HTTP/1.1, the answer behind it says that the connection closes", async () => {
  await using server = await startServer({
    ...withProbe({ unary: () => ({}) }),
    limits: { maxConnectionAgeMs: 60 },
  });
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const headers = { ...(await server.auth()), "content-type": "application/json" };
  const closing: boolean[] = [];
  for (const path of ["/probe.v1.ProbeService/Unary", "/healthz"]) {
    do {
      const { status, headers: answer } = await rawRequest("POST", server.url + path, headers, '"x"', agent);
      expect(status).toBe(path === "/healthz" ? 405 : 200);
      closing.push(answer.get("connection") === "close");
    } while (!closing.at(-1));
  }
  agent.destroy();
  expect(closing.filter(Boolean)).toHaveLength(2);
});

test("without the setting, a connection has no age", async () => {
  await using server = await startServer(withProbe({ unary: () => ({}) }));
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const headers = { ...(await server.auth()), "content-type": "application/json" };
  for (let i = 0; i < 50; i++) {
    const { headers: answer } = await rawRequest(
      "POST",
      `${server.url}/probe.v1.ProbeService/Unary`,
      headers,
      '"x"',
      agent,
    );
    expect(answer.get("connection")).not.toBe("close");
  }
  expect(countConnections(server)()).toBe(1);
  agent.destroy();
});
