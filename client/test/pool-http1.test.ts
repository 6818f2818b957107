import http from "node:http";
import type { AddressInfo } from "node:net";
import { Code } from "@connectrpc/connect";
import { freePort } from "@rollcall/testing/free-port";
import { startServer, until } from "@rollcall/testing/start-server";
import { startTcpProxy } from "@rollcall/testing/tcp-proxy";
import { expect, test } from "vitest";
import { createRollcall } from "../src/node/index.ts";
import { checkEachForLeaks, watchForLeaks } from "./support/leaks.ts";

checkEachForLeaks();

test("over HTTP/1.1 too, a dead address fails no call, calls share few connections, and close drains", async () => {
  await using server = await startServer({ auth: false, streams: { resultIntervalMs: 20 } });
  await using proxy = await startTcpProxy(server.port);
  const leaks = watchForLeaks();
  const client = createRollcall({
    baseUrl: [`http://127.0.0.1:${await freePort()}`, proxy.url],
    protocol: "connect",
    httpVersion: "1.1",
    retry: false,
    pool: { size: 2 },
  });
  const calls = Array.from({ length: 20 }, () => client.users.list({}, { timeoutMs: 20_000 }));
  await Promise.all(calls);
  expect(proxy.acceptedCount).toBeLessThanOrEqual(2);
  const results = client.streams.query("q")[Symbol.asyncIterator]();
  await results.next();
  const closed = [client.close(), client.close()];
  let count = 1;
  while (!(await results.next()).done) count += 1;
  expect(count).toBe(10);
  await Promise.all(closed);
  await expect(client.users.list()).rejects.toMatchObject({ code: Code.Canceled });
  await until(() => proxy.openCount === 0);
  await leaks.assertNone();
});

test("over HTTP/1.1 too, a body of any size goes whole to the address that works", async () => {
  await using server = await startServer({ auth: false });
  const dead = `http://127.0.0.1:${await freePort()}`;
  // The body is larger than the part that is kept.
  const size = 1024 ** 2;
  for (const address of [
    [dead, server.url],
    [server.url, dead],
  ]) {
    await using client = createRollcall({
      baseUrl: address,
      protocol: "connect",
      httpVersion: "1.1",
      retry: false,
    });
    const receipt = await client.streams.upload(new Blob([new Uint8Array(size)]));
    expect(receipt.totalBytes).toBe(size);
  }
});

test("over HTTP/1.1 too, a connection that is lost under a call is unavailable", async () => {
  await using server = await startServer({ auth: false, streams: { resultIntervalMs: 20, resultCount: 1_000 } });
  await using proxy = await startTcpProxy(server.port);
  await using client = createRollcall({ baseUrl: proxy.url, protocol: "connect", httpVersion: "1.1" });
  let count = 0;
  const reading = (async () => {
    for await (const _ of client.streams.query("q")) count += 1;
  })();
  await until(() => count > 2);
  proxy.reset();
  await expect(reading).rejects.toMatchObject({ code: Code.Unavailable });
  await client.users.list();
});

test("a call that its caller cancels is no fault of its address, which does not rest", async () => {
  let held = 0;
  const start = async () => {
    let calls = 0;
    const server = http.createServer((request, response) => {
      calls += 1;
      request.resume();
      // The very first call gets no answer.
      if (held++ === 0) return;
      response.writeHead(200, { "content-type": "application/proto" }).end(Buffer.from([0x0a, 0]));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const close = () => {
      server.closeAllConnections();
      server.close();
    };
    return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close, calls: () => calls };
  };
  const servers = [await start(), await start()];
  const baseUrl = servers.map(({ url }) => url);
  const client = createRollcall({ baseUrl, protocol: "connect", httpVersion: "1.1", retry: false });
  const canceled = new AbortController();
  const call = client.users.get("1", { signal: canceled.signal });
  await until(() => held === 1);
  canceled.abort();
  await expect(call).rejects.toMatchObject({ code: Code.Canceled });
  await client.users.get("1");
  await client.users.get("1");
  expect(servers.map(({ calls }) => calls()).toSorted()).toEqual([1, 2]);
  await client.close();
  for (const { close } of servers) close();
});
