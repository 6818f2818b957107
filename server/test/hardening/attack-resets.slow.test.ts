import { once } from "node:events";
import http2 from "node:http2";
import { withProbe } from "@rollcall/testing/probe-service";
import {
  CANCEL,
  DATA,
  END_HEADERS,
  END_STREAM,
  ENHANCE_YOUR_CALM,
  frame,
  HEADERS,
  headerBlock,
  PING,
  postTo,
  RawHttp2,
  RST_STREAM,
  uint32,
} from "@rollcall/testing/raw/http2";
import { startServer, until } from "@rollcall/testing/start-server";
import { describe, expect, test } from "vitest";
import { headerChurn, hpackBomb, rapidReset } from "./support/http2-attacks.ts";

const lifted = { burst: 1e12, perSecond: 0 };
const GET_USER = "/user.v1.UserService/GetUser";

/** Resolves when the server has read everything, or the connection has ended. */
async function read(client: RawHttp2, ping: number): Promise<void> {
  const payload = Buffer.concat([uint32(0), uint32(ping)]);
  client.send(frame(PING, 0, 0, payload));
  await client.next(({ type, payload: answer }) => type === PING && answer.equals(payload));
}

/**
 * Begins requests and cancels them at once, one by one, until the connection ends. The server reads a few at a time. If
 * very many came in one read, Node.js would refuse most of them, and the guard would not see them.
 */
async function resetOneByOne(client: RawHttp2, count: number): Promise<number> {
  for (let i = 0; i < count; i++) {
    if (client.isClosed) return i;
    const streamId = client.request(postTo(GET_USER));
    await client.sendAll(frame(RST_STREAM, 0, streamId, uint32(CANCEL)));
    if (i % 16 === 0) await read(client, i);
  }
  return count;
}

describe("a rapid reset by a client whom the gate has let nothing do", () => {
  test("ends its connection, and the next one of its address sooner", async () => {
    await using server = await startServer({ limits: { strangerResets: { burst: 512, perSecond: 1 } } });
    const first = await RawHttp2.open(server.port, { localAddress: "127.0.0.2" });
    await resetOneByOne(first, 3_000);
    await first.closed;
    expect(first.goawayCode).toBe(ENHANCE_YOUR_CALM);
    const next = await RawHttp2.open(server.port, { localAddress: "127.0.0.2" });
    await resetOneByOne(next, 200);
    await next.closed;
    // Another address has its own share.
    const other = await RawHttp2.open(server.port, { localAddress: "127.0.0.3" });
    await resetOneByOne(other, 200);
    other.request(postTo(GET_USER), 1);
    await other.next(({ type }) => type === HEADERS);
    expect(other.isClosed).toBe(false);
    other.destroy();
    expect(server.log.filter(({ msg }) => msg === "connections ended: abuse")).toMatchObject([
      { address: "127.0.0.2", reason: "rapid reset" },
    ]);
  });

  test("begins few calls: what is taken back before its turn never starts", async () => {
    const calls = async (limits: object) => {
      await using server = await startServer({ limits });
      let requests = 0;
      while (requests < 1_000) requests += (await rapidReset(server.port, 700)).requests;
      return { requests, calls: server.log.filter(({ msg }) => msg === "call").length };
    };
    const guarded = await calls({});
    expect(guarded.calls).toBeLessThan(guarded.requests / 20);
  });

  test("is not what a known client does that drops all its calls, again and again", async () => {
    const waiting = withProbe({
      unary: (_request, { signal }) => new Promise((_resolve, reject) => signal.addEventListener("abort", reject)),
    });
    await using server = await startServer(waiting);
    const session = http2.connect(server.url);
    const auth = await server.auth();
    const known = session.request({
      ":method": "POST",
      ":path": GET_USER,
      "content-type": "application/json",
      ...auth,
    });
    known.end('{"id":"0197c0de-0000-7000-8000-000000000000"}');
    known.resume();
    await once(known, "close");
    const headers = { ":method": "POST", ":path": "/probe.v1.ProbeService/Unary", "content-type": "application/json" };
    for (let storm = 1; storm <= 6; storm++) {
      const streams = Array.from({ length: 256 }, () => session.request({ ...headers, ...auth }).on("error", () => {}));
      // The listeners must be there from the beginning: on a busy machine, the server refuses some that have waited for
      // long.
      const closed = streams.map((stream) => once(stream, "close"));
      for (const stream of streams) stream.end('""');
      await new Promise((resolve) => session.ping(resolve));
      for (const stream of streams) stream.close(CANCEL);
      await Promise.all(closed);
    }
    expect(session.closed).toBe(false);
    session.destroy();
  });
});

test("a known client may drop its calls and begin as many, all in one read", async () => {
  await using server = await startServer();
  const client = await RawHttp2.open(server.port);
  const known = headerBlock(postTo(GET_USER, { ...(await server.auth()), "content-length": "2" }));
  const first = client.reserveStreamId();
  client.send(frame(HEADERS, END_HEADERS, first, known), frame(DATA, END_STREAM, first, Buffer.from("{}")));
  await client.next(({ type, streamId }) => type === HEADERS && streamId === first);
  for (let round = 0; round < 4; round++) {
    const pairs = Array.from({ length: 400 }, () => {
      const streamId = client.reserveStreamId();
      return [frame(HEADERS, END_HEADERS, streamId, known), frame(RST_STREAM, 0, streamId, uint32(CANCEL))];
    });
    client.send(...pairs.flat());
    await read(client, round);
  }
  expect([client.isClosed, client.goawayCode]).toEqual([false, undefined]);
  client.destroy();
});

describe.each([
  ["headers of twelve kilobytes", headerChurn],
  ["headers that a few bytes stand for", hpackBomb],
])("%s by a stranger", (_name, attack) => {
  test("end its connection; without the limit they do not", async () => {
    await using server = await startServer({ limits: { strangerHeaderBytes: { burst: 65_536, perSecond: 1 } } });
    while ((await attack(server.port, 1_000)).cut === 0);
    await until(() => server.log.find(({ reason }) => reason === "large headers"));
    await using open = await startServer({ limits: { strangerHeaderBytes: lifted, strangerResets: lifted } });
    await attack(open.port, 300);
    expect(open.log.filter(({ reason }) => reason === "large headers")).toEqual([]);
  });
});

test("a known client may have large headers, as many as it likes", async () => {
  await using server = await startServer({ limits: { strangerHeaderBytes: { burst: 32_768, perSecond: 1 } } });
  const session = http2.connect(server.url);
  const auth = await server.auth();
  const call = async () => {
    const stream = session.request({
      ":method": "POST",
      ":path": GET_USER,
      "content-type": "application/json",
      "x-large": "x".repeat(8_000),
      ...auth,
    });
    stream.end('{"id":"0197c0de-0000-7000-8000-000000000000"}');
    const [headers] = await once(stream, "response");
    stream.resume();
    await once(stream, "close");
    return headers[":status"];
  };
  for (let i = 0; i < 20; i++) expect(await call()).toBe(404);
  session.destroy();
  // A stranger's share is four such requests.
  const stranger = await RawHttp2.open(server.port, { localAddress: "127.0.0.2" });
  for (let i = 0; i < 20; i++) stranger.request(postTo(GET_USER, { "x-large": "x".repeat(8_000) }), 1);
  await stranger.closed;
  expect(stranger.goawayCode).toBe(ENHANCE_YOUR_CALM);
});
