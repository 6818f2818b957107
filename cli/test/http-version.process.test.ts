import { once } from "node:events";
import http2 from "node:http2";
import https from "node:https";
import type { AddressInfo } from "node:net";
import { Code } from "@connectrpc/connect";
import { createRollcall, type NodeRollcallOptions } from "@rollcall/client/node";
import { UserService } from "@rollcall/gen/user/v1/user";
import { createCertificateAuthority } from "@rollcall/testing/certificates";
import { rollcall } from "@rollcall/testing/run-rollcall";
import { startServer } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";
import { startHttp1Proxy } from "./support/http1-proxy.ts";

const ANSWER = "the server, or a proxy in front of it, does not speak HTTP/";

async function startBehind(front: "1.1" | "2") {
  const server = await startServer();
  const proxy = await startHttp1Proxy(server.url, front);
  return {
    url: proxy.url,
    env: { ROLLCALL_ADDRESS: proxy.url, ROLLCALL_TOKEN: await server.token() },
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

test("through a proxy that speaks HTTP/1.1 alone, the command says so and names its option, with which it works", async () => {
  await using setup = await startBehind("1.1");
  const [grpc, connect, list, query, upload, fromEnv] = await Promise.all([
    rollcall(["users", "list", "--timeout", "30s"], setup),
    rollcall(["users", "list", "--protocol", "connect"], setup),
    rollcall(["users", "list", "--all", "--http", "1.1"], setup),
    rollcall(["query", "hello", "--http", "1.1", "--protocol", "grpc-web"], setup),
    rollcall(["upload", "-", "--http", "1.1"], { ...setup, input: "x".repeat(200_000) }),
    rollcall(["users", "create", "--email", "ada@example.com", "--name", "Ada"], {
      env: { ...setup.env, ROLLCALL_HTTP: "1.1" },
    }),
  ]);
  expect(grpc).toEqual({
    code: 1,
    stdout: "",
    stderr: `rollcall: unavailable: ${setup.url}: ${ANSWER}2: gRPC needs it; --http 1.1 speaks Connect instead, and all commands but chat work\n`,
  });
  expect(connect).toEqual({
    code: 1,
    stdout: "",
    stderr: `rollcall: unavailable: ${setup.url}: ${ANSWER}2: try --http 1.1, with which all commands but chat work\n`,
  });
  expect(list).toMatchObject({ code: 0, stderr: "" });
  expect(query).toMatchObject({ code: 0, stdout: expect.stringContaining("Result 9 for query: hello\n") });
  expect(upload).toMatchObject({ code: 0, stdout: expect.stringContaining("  200000 bytes  -\n") });
  expect(fromEnv).toMatchObject({ code: 0, stdout: expect.stringContaining("\tada@example.com\tAda\t") });
});

test("through a proxy that speaks HTTP/1.1 to the server alone, the command says what gRPC and chat need", async () => {
  await using setup = await startBehind("2");
  const [grpc, connect, chat] = await Promise.all([
    rollcall(["users", "list"], setup),
    rollcall(["users", "list", "--protocol", "connect"], setup),
    rollcall(["chat"], { ...setup, input: "hello\n" }),
  ]);
  expect(grpc).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/gRPC needs HTTP\/2 up to the server.*try --protocol connect\n$/),
  });
  expect(connect).toMatchObject({ code: 0, stderr: "" });
  expect(chat).toMatchObject({ code: 1, stderr: expect.stringMatching(/chat needs HTTP\/2 up to the server/) });
});

test("what can't go with --http 1.1 is wrong usage", async () => {
  const [grpc, chat, other] = await Promise.all([
    rollcall(["users", "list", "--http", "1.1", "--protocol", "grpc"]),
    rollcall(["chat"], { env: { ROLLCALL_HTTP: "1.1" } }),
    rollcall(["users", "list", "--http", "3"]),
  ]);
  expect(grpc).toMatchObject({ code: 2, stderr: expect.stringMatching(/^rollcall: gRPC needs HTTP\/2/) });
  expect(chat).toMatchObject({ code: 2, stderr: "rollcall: chat needs HTTP/2: it can't go with --http 1.1\n" });
  expect(other).toMatchObject({ code: 2, stderr: expect.stringContaining("Allowed choices are 1.1, 2.") });
});

test("a server of another HTTP version fails a call at once, in words: it won't change by waiting", async () => {
  const authority = await createCertificateAuthority("Test CA");
  const certificate = await authority.issue({ commonName: "server", hosts: ["localhost", "127.0.0.1"] });
  await using proxy = await startHttp1Proxy("http://127.0.0.1:9");
  const overTls = https.createServer(certificate).listen(0, "127.0.0.1");
  const http2Alone = http2.createServer().listen(0, "127.0.0.1");
  const http2OverTls = http2.createSecureServer(certificate).listen(0, "127.0.0.1");
  const servers = [overTls, http2Alone, http2OverTls];
  await Promise.all(servers.map((server) => server.listening || once(server, "listening")));
  const wires: (NodeRollcallOptions & { missing: string })[] = [
    { baseUrl: proxy.url, missing: "2" },
    { baseUrl: `https://localhost:${(overTls.address() as AddressInfo).port}`, missing: "2" },
    { baseUrl: `http://127.0.0.1:${(http2Alone.address() as AddressInfo).port}`, httpVersion: "1.1", missing: "1.1" },
    {
      baseUrl: `https://localhost:${(http2OverTls.address() as AddressInfo).port}`,
      httpVersion: "1.1",
      missing: "1.1",
    },
  ];
  for (const { missing, ...wire } of wires) {
    const tls = { ca: authority.cert };
    await using client = createRollcall({ ...wire, tls, protocol: "connect", timeoutMs: 60_000 });
    const error = client.service(UserService).createUser({ email: "ada@example.com", name: "Ada" });
    await expect(error).rejects.toMatchObject({
      code: Code.Unavailable,
      rawMessage: `${wire.baseUrl}: ${ANSWER}${missing}`,
    });
  }
  for (const server of servers) server.close();
});
