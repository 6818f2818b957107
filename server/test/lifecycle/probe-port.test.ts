import http2 from "node:http2";
import { Code, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { Health, HealthCheckResponse_ServingStatus } from "@rollcall/gen/grpc/health/v1/health";
import { UserService } from "@rollcall/gen/user/v1/user";
import { createApp, createLogger, ListenError } from "@rollcall/server";
import { createCertificateAuthority } from "@rollcall/testing/certificates";
import { ProbeService, withProbe } from "@rollcall/testing/probe-service";
import { exchangeToEnd } from "@rollcall/testing/raw/http";
import { startServer } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";

const authority = await createCertificateAuthority("Probe CA");
const tls = { ...(await authority.issue({ commonName: "localhost", hosts: ["localhost"] })), clientCa: authority.cert };

async function answerOf(url: string): Promise<[status: number, body: unknown]> {
  const response = await fetch(url);
  return [response.status, await response.json()];
}

test("probes need no certificate on a port of their own, which serves nothing else", async () => {
  await using server = await startServer({ tls, probePort: 0 });
  const { probeUrl = "" } = server;
  await expect(fetch(`${server.url}/healthz`)).rejects.toThrow();
  expect(await answerOf(`${probeUrl}/healthz`)).toEqual([200, { status: "ok" }]);
  expect(await answerOf(`${probeUrl}/readyz`)).toEqual([200, { status: "ready" }]);
  expect(await answerOf(`${probeUrl.replace("localhost", "[::1]")}/healthz`)).toEqual([200, { status: "ok" }]);
  const health = createClient(Health, createGrpcTransport({ baseUrl: probeUrl }));
  expect((await health.check({})).status).toBe(HealthCheckResponse_ServingStatus.SERVING);
  // A collector on another machine uses another host name.
  const named = (port: string) =>
    exchangeToEnd(Number(port), "GET /metrics HTTP/1.1\r\nhost: node-7:9\r\nconnection: close\r\n\r\n");
  expect(await named(new URL(probeUrl).port)).toMatch(/^HTTP\/1\.1 200[\s\S]*\nrpc_server_/);
  await using open = await startServer();
  expect(await named(new URL(open.url).port)).toMatch(/^HTTP\/1\.1 404/);
  const refused = { code: "unimplemented", message: expect.stringContaining("only probes") };
  for (const path of ["/", "/user.v1.UserService/ListUsers", "/healthz/../", "/healthzz"]) {
    expect(await answerOf(probeUrl + path), path).toEqual([404, refused]);
  }
  // Calls are refused over every protocol. The token is valid, but the port serves no calls.
  const headers = await server.auth();
  const transports = (["1.1", "2"] as const).flatMap((httpVersion) =>
    [createConnectTransport, createGrpcWebTransport].map((create) => create({ baseUrl: probeUrl, httpVersion })),
  );
  for (const transport of [...transports, createGrpcTransport({ baseUrl: probeUrl })]) {
    const { listUsers } = createClient(UserService, transport);
    await expect(listUsers({}, { headers })).rejects.toMatchObject({
      ...{ code: Code.Unimplemented, rawMessage: refused.message },
    });
  }
  const { port } = new URL(probeUrl);
  const upgrade = "GET /stream.v1.StreamService/BidirectionalStream HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\n";
  const socketHeaders =
    "upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";
  expect(await exchangeToEnd(Number(port), `${upgrade}${socketHeaders}\r\n`)).toBe("");
});

test("the port answers until the last call has ended, and then closes", async () => {
  const released = Promise.withResolvers<void>();
  const started = Promise.withResolvers<void>();
  const held = withProbe({
    async unary() {
      started.resolve();
      await released.promise;
      return {};
    },
  });
  const server = await startServer({ ...held, probePort: 0, shutdownGraceMs: 60_000 });
  const { probeUrl = "" } = server;
  const transport = createConnectTransport({ baseUrl: server.url, httpVersion: "2" });
  const call = createClient(ProbeService, transport).unary({}, { headers: await server.auth() });
  await started.promise;
  // This connection stays open, so the stop must end it too.
  const session = http2.connect(probeUrl);
  const closing = server.app.close();
  for (let status = 0; status !== 503; ) [status] = await answerOf(`${probeUrl}/readyz`);
  const reason = { status: "unavailable", reason: "draining" };
  expect(await answerOf(`${probeUrl}/readyz`)).toEqual([503, expect.objectContaining(reason)]);
  expect(await answerOf(`${probeUrl}/healthz`)).toEqual([200, { status: "ok" }]);
  released.resolve();
  await call;
  await closing;
  await expect(fetch(`${probeUrl}/healthz`)).rejects.toThrow();
  session.destroy();
});

test("without the setting there is none; a port that is taken is named by its setting", async () => {
  await using server = await startServer();
  expect(server.probeUrl).toBe(undefined);
  const logger = createLogger("silent", { write: () => {} });
  const app = await createApp({ auth: false, probePort: server.port, logger });
  const error: unknown = await app.listen().then(
    () => undefined,
    (thrown) => thrown,
  );
  expect(error).toBeInstanceOf(ListenError);
  expect(String(error)).toContain("set PROBE_PORT to a free port");
  await app.close();
});
