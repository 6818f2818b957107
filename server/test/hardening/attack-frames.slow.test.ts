import { connect } from "node:net";
import { create, toBinary } from "@bufbuild/protobuf";
import { encodeEnvelope } from "@connectrpc/connect/protocol";
import { BidiRequestSchema, ClientStreamRequestSchema } from "@rollcall/gen/stream/v1/stream";
import { DATA, END_STREAM, ENHANCE_YOUR_CALM, frame, HEADERS, postTo, RawHttp2 } from "@rollcall/testing/raw/http2";
import { startServer, until } from "@rollcall/testing/start-server";
import { describe, expect, test } from "vitest";
import { smallFrames } from "./support/http2-attacks.ts";
import { startMeasuredServer } from "./support/measured-server.ts";

const MIB = 1024 ** 2;
const lifted = { burst: 1e12, perSecond: 0 };

describe.each([
  ["without a token", false],
  ["with one", true],
])("a body in frames of one byte, %s, whose answer is not read", (_name, hasToken) => {
  test("ends the connection before it has taken anything; without the limit it stays", async () => {
    await using server = await startMeasuredServer();
    const before = await server.memoryBytes();
    const headers = hasToken ? { ...server.headers } : {};
    const attack = { frameBytes: 1, streams: 6, headers };
    const { cut, bodyBytes } = await smallFrames(server.port, 60_000, attack);
    expect(cut).toBe(1);
    expect(bodyBytes).toBeLessThan(MIB);
    expect((await server.memoryBytes()) - before).toBeLessThan(32 * MIB);
    expect(await server.logged("connections ended: abuse")).toMatchObject([{ reason: "body in tiny pieces" }]);
    await using open = await startMeasuredServer({ limits: { tinyPieces: lifted } });
    expect(
      await smallFrames(open.port, 500, { ...attack, headers: hasToken ? { ...open.headers } : {} }),
    ).toMatchObject({
      cut: 0,
    });
  });
});

test("a body in frames just large enough holds no more than its bytes", async () => {
  await using server = await startMeasuredServer();
  const before = await server.memoryBytes();
  const result = await smallFrames(server.port, 1_500, { frameBytes: 5, streams: 100 });
  // Unread data gets no further window, so no stream sends more than its first window.
  expect(result).toMatchObject({ cut: 0 });
  expect(result.bodyBytes).toBeLessThanOrEqual(100 * 65_535);
  // If each frame were a separate buffer, five bytes would take some 150.
  expect((await server.memoryBytes()) - before).toBeLessThan(16 * MIB + result.bodyBytes);
});

test("chunks of one byte over HTTP/1.1 end the connection, too", async () => {
  const flood = async (limits: object) => {
    await using server = await startServer({ limits });
    const socket = connect(server.port, "127.0.0.1");
    socket.on("error", () => {});
    socket.resume();
    const { authorization } = await server.auth();
    socket.write(
      "POST /stream.v1.StreamService/ClientStream HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n" +
        `content-type: application/connect+proto\r\nauthorization: ${authorization}\r\n\r\n`,
    );
    socket.write("1\r\n\0\r\n".repeat(20_000));
    socket.write("0\r\n\r\n");
    await until(() => socket.closed || server.log.find(({ msg }) => msg === "call"));
    socket.destroy();
    return server.log.find(({ msg }) => msg === "connections ended: abuse");
  };
  expect(await flood({})).toMatchObject({ reason: "body in tiny pieces" });
  expect(await flood({ tinyPieces: lifted })).toBe(undefined);
});

describe("an ordinary client that sends many small messages, each in a frame of its own, is not cut off", () => {
  const headersOf = (authorization: string) => ({
    "content-type": "application/grpc",
    te: "trailers",
    authorization,
  });

  /** Sends the same frame the given number of times, as fast as the windows allow. */
  async function sendFrames(client: RawHttp2, streamId: number, message: Uint8Array, count: number): Promise<void> {
    for (let left = count; left > 0; ) {
      const frames = Math.min(left, 2_000, Math.floor(client.window(streamId) / message.length));
      if (frames > 0) client.sendData(streamId, frames * message.length, message.length, message);
      left -= frames;
      await client.sendAll(Buffer.alloc(0));
      await new Promise((resolve) => (frames > 0 ? setImmediate(resolve) : setTimeout(resolve, 1)));
      if (client.isClosed) return;
    }
    client.send(frame(DATA, END_STREAM, streamId));
  }

  test("in an upload of 300,000", async () => {
    await using server = await startMeasuredServer();
    const client = await RawHttp2.open(server.port);
    const chunk = encodeEnvelope(
      0,
      toBinary(ClientStreamRequestSchema, create(ClientStreamRequestSchema, { chunk: new Uint8Array(20) })),
    );
    const streamId = client.request(
      postTo("/stream.v1.StreamService/ClientStream", headersOf(server.headers.authorization)),
    );
    await sendFrames(client, streamId, chunk, 300_000);
    // There are two header blocks: the answer's and its trailers.
    await until(() => client.isClosed || client.received.filter(({ type }) => type === HEADERS).length === 2);
    expect(client.isClosed).toBe(false);
    client.destroy();
    const [call] = await server.logged("call");
    expect(call).toMatchObject({ code: "ok", requestBytes: 300_000 * chunk.length });
  });

  test("in a conversation", async () => {
    await using server = await startMeasuredServer();
    const client = await RawHttp2.open(server.port);
    const message = encodeEnvelope(
      0,
      toBinary(BidiRequestSchema, create(BidiRequestSchema, { message: "m".repeat(18) })),
    );
    const streamId = client.request(
      postTo("/stream.v1.StreamService/BidirectionalStream", headersOf(server.headers.authorization)),
    );
    client.send(frame(8, 0, 0, Buffer.from([0x7f, 0, 0, 0])));
    await sendFrames(client, streamId, message, 20_000);
    await until(() => client.isClosed || client.received.filter(({ type }) => type === HEADERS).length === 2);
    expect(client.isClosed).toBe(false);
    client.destroy();
    const [call] = await server.logged("call");
    expect(call).toMatchObject({ code: "ok", requestBytes: 20_000 * message.length });
  });
});

test("a connection that is cut says so: ENHANCE_YOUR_CALM", async () => {
  await using server = await startServer({ limits: { tinyPieces: { burst: 10, perSecond: 1 } } });
  const client = await RawHttp2.open(server.port);
  const streamId = client.request(postTo("/user.v1.UserService/CreateUser"));
  client.sendData(streamId, 20, 1);
  await client.closed;
  expect(client.goawayCode).toBe(ENHANCE_YOUR_CALM);
});
