import { once } from "node:events";
import http from "node:http";
import { gzipSync } from "node:zlib";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { StreamService } from "@rollcall/gen/stream/v1/stream";
import { startServer, type TestServer } from "@rollcall/testing/start-server";
import { describe, expect, test } from "vitest";
import { WebSocket } from "ws";

/** Sends a body in chunks of one byte, and returns the response. */
async function sendByteByByte(server: TestServer, path: string, contentType: string, body: Buffer) {
  const request = http.request(server.url + path, {
    method: "POST",
    headers: { ...(await server.auth()), "content-type": contentType, "transfer-encoding": "chunked" },
  });
  await once(request.flushHeaders() ?? request, "socket");
  const wire = Buffer.alloc(body.length * 6);
  for (const [index, byte] of body.entries()) wire.write(`1\r\n${String.fromCharCode(byte)}\r\n`, index * 6, "latin1");
  const { socket } = request;
  if (socket?.connecting) await once(socket, "connect");
  socket?.write(wire);
  socket?.write("0\r\n\r\n");
  const [response] = (await once(request, "response")) as [http.IncomingMessage];
  let text = "";
  for await (const chunk of response) text += chunk;
  socket?.destroy();
  return { status: response.statusCode, text };
}

describe("a body in single bytes", () => {
  test("is understood", async () => {
    await using server = await startServer();
    const json = Buffer.from('{"email":"ada@example.com","name":"Ada"}');
    const created = await sendByteByByte(server, "/user.v1.UserService/CreateUser", "application/json", json);
    expect(created).toMatchObject({ status: 200, text: expect.stringContaining("ada@example.com") });
    const query = Buffer.from('{"query":"q"}');
    const envelope = Buffer.concat([Buffer.from([0, 0, 0, 0, query.length]), query]);
    const path = "/stream.v1.StreamService/ServerStream";
    const streamed = await sendByteByByte(server, path, "application/connect+json", envelope);
    expect(streamed).toMatchObject({ status: 200, text: expect.stringContaining("Result 9") });
  });
});

/** Counts other callers' calls that were answered meanwhile. */
async function countOthers(server: TestServer, finished: Promise<unknown>): Promise<number> {
  const headers = await server.auth();
  const streams = createClient(StreamService, createGrpcTransport({ baseUrl: server.url }));
  let others = 0;
  let isFinished = false;
  finished.then(() => {
    isFinished = true;
  });
  while (!isFinished) {
    await Array.fromAsync(streams.serverStream({ query: "q" }, { headers }));
    others += 1;
  }
  return others;
}

describe("messages without content leave the others their turn", () => {
  test("over HTTP/1.1", async () => {
    await using server = await startServer();
    const request = http.request(`${server.url}/stream.v1.StreamService/ClientStream`, {
      method: "POST",
      headers: { ...(await server.auth()), "content-type": "application/connect+proto" },
    });
    request.end(Buffer.alloc(5 * 1_000_000));
    const finished = once(request, "response");
    expect(await countOthers(server, finished)).toBeGreaterThan(2);
    const [response] = (await finished) as [http.IncomingMessage];
    response.resume();
  });

  test.each([
    ["ClientStream", 10],
    ["BidirectionalStream", 5],
  ])("over WebSocket, to %s", async (method, frames) => {
    await using server = await startServer();
    const url = `${server.url.replace("http", "ws")}/stream.v1.StreamService/${method}`;
    const ws = new WebSocket(url, "grpc-websockets");
    await once(ws, "open");
    const { authorization } = await server.auth();
    ws.send(Buffer.from(`content-type: application/grpc-web+proto\r\nauthorization: ${authorization}\r\n`));
    // Each frame has 100,000 envelopes after its tag.
    for (let frame = 0; frame < frames; frame++) ws.send(Buffer.alloc(1 + 5 * 100_000));
    ws.send(Buffer.of(1));
    const others = await countOthers(server, once(ws, "close"));
    expect(others).toBeGreaterThan(2);
  });
});

test("a small message that inflates beyond what the directory takes is refused before it is read", async () => {
  await using server = await startServer();
  const bomb = gzipSync(JSON.stringify({ name: "a".repeat(4_000_000) }));
  expect(bomb.length).toBeLessThan(8_000);
  const response = await fetch(`${server.url}/user.v1.UserService/CreateUser`, {
    method: "POST",
    headers: { ...(await server.auth()), "content-type": "application/json", "content-encoding": "gzip" },
    body: bomb,
  });
  expect(await response.json()).toMatchObject({ code: "resource_exhausted" });
});
