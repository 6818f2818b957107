/** The host that a request names: only HTTP/1.1 requires it, and it never affects the result. */
import { once } from "node:events";
import http2 from "node:http2";
import { buffer } from "node:stream/consumers";
import { exchangeToEnd } from "@rollcall/testing/raw/http";
import { startServer, type TestServer, until } from "@rollcall/testing/start-server";
import { describe, expect, test } from "vitest";

const DELETE_USER = "/user.v1.UserService/DeleteUser";

describe("over HTTP/1", () => {
  const status = async (server: TestServer, head: string) => {
    const answer = await exchangeToEnd(server.port, `${head}\r\nconnection: close\r\n\r\n`);
    return { status: Number(answer.split(" ", 2)[1]), answer };
  };

  test.each([
    ["1.1 without a Host is 400", "GET /healthz HTTP/1.1", 400],
    ["1.1 with two is 400", "GET /healthz HTTP/1.1\r\nhost: a\r\nhost: b", 400],
    ["1.1 with an invalid one is 400", "GET /healthz HTTP/1.1\r\nhost: a b", 400],
    ["1.1 with one is served", "GET /healthz HTTP/1.1\r\nhost: a", 200],
    ["1.0 without a Host is served", "GET /healthz HTTP/1.0", 200],
    ["1.0 with one is served", "GET /healthz HTTP/1.0\r\nhost: a", 200],
    ["1.0 with two is 400", "GET /healthz HTTP/1.0\r\nhost: a\r\nhost: b", 400],
    ["1.0 with an invalid one is 400", "GET /healthz HTTP/1.0\r\nhost: a b", 400],
  ])("HTTP/%s", async (_name, head, expected) => {
    await using server = await startServer();
    const outcome = await status(server, head);
    expect(outcome.status).toBe(expected);
    if (expected === 200) return;
    expect(outcome.answer).toMatch(/x-request-id: [\w-]{36}\r\n/i);
    expect(outcome.answer).toContain('{"code":"invalid_argument","message":"invalid host"}');
  });

  test("an RPC by HTTP/1.0 without a Host is served", async () => {
    await using server = await startServer();
    const { authorization } = await server.auth();
    const head = `POST /user.v1.UserService/ListUsers HTTP/1.0\r\ncontent-type: application/json\r\ncontent-length: 2`;
    const answer = await exchangeToEnd(server.port, `${head}\r\nauthorization: ${authorization}\r\n\r\n{}`);
    expect(answer).toMatch(/^HTTP\/1\.1 200 .*\{"users":\[\]\}|^HTTP\/1\.1 200 .*\{\}/s);
  });
});

describe("over HTTP/2", () => {
  const authorities = ["[::1", "x:99999", "127.0.0.1:1,127.0.0.1:2", "::1:8081", undefined];

  async function call(
    server: TestServer,
    authority: string | undefined,
    headers: Record<string, string>,
    body: string,
  ) {
    const session = http2.connect(server.url);
    session.on("error", () => {});
    const stream = session.request({
      ":method": "POST",
      ":path": DELETE_USER,
      ...(authority !== undefined && { ":authority": authority }),
      host: "localhost",
      "content-type": "application/json",
      ...headers,
    });
    stream.end(body);
    const [fields] = await once(stream, "response");
    const text = String(await buffer(stream));
    session.close();
    return { status: fields[":status"] as number, json: text && JSON.parse(text) };
  }

  test.each(authorities)(
    "the authority %j decides nothing: no token is 401, and a call is served",
    async (authority) => {
      await using server = await startServer();
      expect(await call(server, authority, {}, '{"id":"x"}')).toMatchObject({
        status: 401,
        json: { code: "unauthenticated", message: "missing authorization token" },
      });
      expect(await call(server, authority, await server.auth(), '{"id":"x"}')).toMatchObject({
        status: 404,
        json: { code: "not_found" },
      });
    },
  );

  test("plain HTTP is served, too", async () => {
    await using server = await startServer();
    const session = http2.connect(server.url);
    for (const authority of ["127.0.0.1:1,127.0.0.1:2", "[::1"]) {
      const stream = session.request({ ":path": "/healthz", ":authority": authority });
      const [fields] = await once(stream, "response");
      expect([fields[":status"], JSON.parse(String(await buffer(stream)))]).toEqual([200, { status: "ok" }]);
    }
    session.close();
  });

  test("a gRPC client with several addresses is served", async () => {
    await using server = await startServer();
    const session = http2.connect(server.url);
    const stream = session.request({
      ":method": "POST",
      ":path": "/user.v1.UserService/ListUsers",
      ":authority": `127.0.0.1:${server.port},127.0.0.1:1`,
      "content-type": "application/grpc",
      te: "trailers",
      ...(await server.auth()),
    });
    stream.end(Buffer.alloc(5));
    stream.resume();
    const [trailers] = await once(stream, "trailers");
    expect(trailers["grpc-status"]).toBe("0");
    session.close();
  });

  test("the log knows the other end of a refused request", async () => {
    await using server = await startServer();
    const session = http2.connect(server.url);
    const port = new Promise((resolve) => session.once("connect", (_s, socket) => resolve(socket.localPort)));
    session.request({ ":path": "/nothing" }).end();
    const line = await until(() => server.log.find(({ msg }) => msg === "request refused"));
    expect(line).toMatchObject({ status: 404, peer: expect.stringMatching(/^(127\.0\.0\.1|\[::1\]):\d+$/) });
    expect(String(line.peer).endsWith(`:${await port}`)).toBe(true);
    session.destroy();
  });
});
