import { once } from "node:events";
import http from "node:http";
import http2 from "node:http2";
import { setTimeout as delay } from "node:timers/promises";
import { Code } from "@connectrpc/connect";
import { withProbe } from "@rollcall/testing/probe-service";
import { exchangeToEnd } from "@rollcall/testing/raw/http";
import { startServer, type TestServer, until } from "@rollcall/testing/start-server";
import { describe, expect, test } from "vitest";
import { connectWith } from "./support/connect-with.ts";
import { grpcStatusOf } from "./support/grpc-status-of.ts";

const getUserHead = "POST /user.v1.UserService/GetUser HTTP/1.1\r\ncontent-type: application/json\r\n";

describe.concurrent("a body", () => {
  test("that does not come ends the call and then its connection, on HTTP/1.1", async () => {
    const send = async (server: TestServer) => {
      const { authorization } = await server.auth();
      const head = `${getUserHead}host: a\r\nauthorization: ${authorization}\r\ncontent-length: 10\r\n\r\n{`;
      return connectWith(server.port, head);
    };
    await using patient = await startServer();
    using control = await send(patient);
    await once(control.socket, "connect");
    await using server = await startServer({ timeouts: { bodyTimeoutMs: 200 } });
    using cut = await send(server);
    await until(() => cut.ended);
    expect(cut.answer).toMatch(
      /^HTTP\/1\.1 504 .*"code":"deadline_exceeded","message":"the request did not arrive in time"/s,
    );
    // The control has waited for longer.
    expect(control.ended).toBe(false);
  });

  test("that does not come ends the call, on HTTP/2", async () => {
    await using server = await startServer({ timeouts: { bodyTimeoutMs: 200, stallTimeoutMs: 400 } });
    const client = http2.connect(server.url);
    const auth = await server.auth();
    const calls = [
      ["/user.v1.UserService/GetUser", "application/json"],
      ["/user.v1.UserService/GetUser", "application/grpc"],
      ["/stream.v1.StreamService/ClientStream", "application/grpc"],
    ].map(async ([path, contentType]) => {
      const headers = { ":method": "POST", ":path": path, "content-type": contentType, ...auth };
      const stream = client.request(headers).resume();
      // An envelope begins with this byte. JSON is not examined before its end.
      stream.write("\0");
      await once(stream, "close");
      expect(stream.rstCode).toBe(http2.constants.NGHTTP2_NO_ERROR);
    });
    await Promise.all(calls);
    const lines = await until(() => {
      const ended = server.log.filter(({ msg }) => msg === "call");
      return ended.length === 3 && ended;
    });
    expect(lines.map(({ code }) => code)).toEqual(Array(3).fill("deadline_exceeded"));
    client.destroy();
  });

  test("of a GET, which has none, is not waited for", async () => {
    const slow = withProbe({ unary: () => delay(300).then(() => ({ value: "done" })) });
    await using server = await startServer({ ...slow, timeouts: { bodyTimeoutMs: 100 } });
    const path = "/probe.v1.ProbeService/Unary?encoding=json&message=%22%22";
    const response = await fetch(server.url + path, { headers: await server.auth() });
    expect(await response.json()).toBe("done");
    const client = http2.connect(server.url);
    const stream = client.request({ ":path": path, ...(await server.auth()) });
    const [headers] = (await once(stream, "response")) as [http2.IncomingHttpHeaders];
    expect(headers[":status"]).toBe(200);
    client.destroy();
  });

  test.each(["/nothing-here", "/healthz", "/user.v1.UserService/GetUser"])(
    "that does not come is cut off, whoever it is for: %s",
    async (path) => {
      await using server = await startServer({ timeouts: { bodyTimeoutMs: 200 } });
      const ends = ["application/json", "text/plain", "application/xml"].map((contentType) =>
        exchangeToEnd(
          server.port,
          `POST ${path} HTTP/1.1\r\nhost: a\r\ncontent-type: ${contentType}\r\ncontent-length: 10\r\n\r\n{`,
        ),
      );
      await Promise.all(ends);
    },
  );

  test("of a type that no RPC has is refused as such, and logged", async () => {
    await using server = await startServer();
    for (const contentType of ["text/plain", "application/xml", "multipart/form-data"]) {
      const response = await fetch(`${server.url}/user.v1.UserService/GetUser`, {
        method: "POST",
        headers: { ...(await server.auth()), "content-type": contentType },
        body: "x",
      });
      expect(response.status).toBe(415);
      expect(response.headers.get("x-request-id")).not.toBe(null);
    }
    expect(server.log.filter(({ msg }) => msg === "call")).toHaveLength(3);
  });

  test("that is refused is not read", async () => {
    await using server = await startServer();
    const client = http2.connect(server.url);
    const stream = client.request({
      ":method": "POST",
      ":path": "/stream.v1.StreamService/ClientStream",
      "content-type": "application/grpc",
    });
    stream.on("error", () => {});
    stream.resume();
    const closed = once(stream, "close");
    expect(await grpcStatusOf(stream)).toBe(String(Code.Unauthenticated));
    await closed;
    client.destroy();
  });
});

test.concurrent("an HTTP/2 response that nobody reads is cut off, also after a quiet spell", async () => {
  const quietThenLoud = withProbe({
    async *serverStream() {
      yield { value: "first" };
      await delay(400);
      for (;;) yield { value: "x".repeat(100_000) };
    },
  });
  await using server = await startServer({ ...quietThenLoud, timeouts: { stallTimeoutMs: 100 } });
  const client = http2.connect(server.url);
  const stream = client.request({
    ":method": "POST",
    ":path": "/probe.v1.ProbeService/ServerStream",
    "content-type": "application/grpc",
    te: "trailers",
    ...(await server.auth()),
  });
  stream.on("error", () => {});
  stream.end(Buffer.alloc(5));
  await once(stream, "response");
  stream.pause();
  await until(() => server.log.find(({ msg }) => msg === "call"));
  expect(server.log.find(({ msg }) => msg === "call")).toMatchObject({ code: "canceled" });
  // A client that leaves is not a fault of the server.
  expect(server.log.filter(({ level }) => level === "error")).toEqual([]);
  client.destroy();
});

test.concurrent("a response that nobody reads is cut off", async () => {
  await using server = await startServer({
    timeouts: { stallTimeoutMs: 300 },
    streams: { resultCount: 1_000_000, resultIntervalMs: 0 },
  });
  const request = http.request(`${server.url}/stream.v1.StreamService/ServerStream`, {
    method: "POST",
    headers: { "content-type": "application/connect+json", ...(await server.auth()) },
  });
  request.on("error", () => {});
  const message = Buffer.from(JSON.stringify({ query: "x".repeat(4_000) }));
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  request.end(Buffer.concat([head, message]));
  const [response] = (await once(request, "response")) as [http.IncomingMessage];
  response.pause();
  response.on("error", () => {});
  expect(await until(() => server.log.find(({ msg }) => msg === "call"))).toMatchObject({ code: "canceled" });
  request.destroy();
});
