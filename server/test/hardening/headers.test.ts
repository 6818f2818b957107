import { once } from "node:events";
import http2 from "node:http2";
import { startServer } from "@rollcall/testing/start-server";
import { describe, expect, test } from "vitest";
import { answerTo } from "./support/connect-with.ts";

describe("the header", () => {
  const big = "x".repeat(20_000);

  test("over the limit is refused on HTTP/1.1", async () => {
    await using server = await startServer();
    const get = (padding: string) =>
      answerTo(server.port, `GET /healthz HTTP/1.1\r\nhost: a\r\nx-pad: ${padding}\r\n\r\n`);
    expect(await get("x".repeat(10_000))).toMatch(/^HTTP\/1\.1 200/);
    expect(await get(big)).toMatch(/^HTTP\/1\.1 431/);
  });

  test("over the limit is refused on HTTP/2", async () => {
    await using server = await startServer();
    const statusOf = async (padding: string) => {
      const client = http2.connect(server.url);
      client.on("error", () => {});
      const stream = client.request({ ":path": "/healthz", "x-pad": padding });
      const outcome = await Promise.race([
        once(stream, "response").then(([headers]) => headers[":status"]),
        once(stream, "close").then(() => "closed"),
        once(stream, "error").then(() => "refused"),
      ]).catch(() => "refused");
      client.destroy();
      return outcome;
    };
    expect(await statusOf("x".repeat(10_000))).toBe(200);
    expect(await statusOf(big)).toBe(431);
  });
});

describe("an invalid host", () => {
  test.each(["a b", "a/b", "a@b", "", "[::1", "a:b", "a:123456"])("%j is 400", async (host) => {
    await using server = await startServer();
    const head = `GET /user.v1.UserService/ListUsers?encoding=json&message={} HTTP/1.1\r\nhost: ${host}\r\n\r\n`;
    expect(await answerTo(server.port, head)).toMatch(/^HTTP\/1\.1 400 /);
  });

  test("is missing is 400", async () => {
    await using server = await startServer();
    expect(await answerTo(server.port, "GET /healthz HTTP/1.1\r\n\r\n")).toMatch(/^HTTP\/1\.1 400 /);
  });

  test.each(["localhost", "example.com:8080", "[::1]:8080", "127.0.0.1"])("and %j is not", async (host) => {
    await using server = await startServer();
    const request = `GET /healthz HTTP/1.1\r\nhost: ${host}\r\n\r\n`;
    expect(await answerTo(server.port, request)).toMatch(/^HTTP\/1\.1 200 /);
  });
});
