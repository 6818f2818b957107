import { once } from "node:events";
import http2 from "node:http2";
import { brotliCompressSync } from "node:zlib";
import { create, toBinary } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { ClientStreamRequestSchema, StreamService } from "@rollcall/gen/stream/v1/stream";
import { UserService } from "@rollcall/gen/user/v1/user";
import { withProbe } from "@rollcall/testing/probe-service";
import {
  frame,
  HEADERS,
  postTo,
  RawHttp2,
  REFUSED_STREAM,
  RST_STREAM,
  uint32,
  WINDOW_UPDATE,
} from "@rollcall/testing/raw/http2";
import { openRawSocket } from "@rollcall/testing/raw/web-socket";
import { startServer, until } from "@rollcall/testing/start-server";
import { describe, expect, test } from "vitest";
import { unfinishedUploads, unreadLists } from "./support/http2-attacks.ts";
import { startMeasuredServer } from "./support/measured-server.ts";

/** Returns a message in a gRPC envelope, compressed or not. */
function envelopeOf(message: Uint8Array, coding: "identity" | "br"): Buffer {
  const data = coding === "br" ? brotliCompressSync(message) : message;
  const head = Buffer.of(coding === "br" ? 1 : 0, 0, 0, 0, 0);
  head.writeUInt32BE(data.length, 1);
  return Buffer.concat([head, data]);
}

const MIB = 1024 ** 2;
const lifted = { maxConnectionBytes: 1e12, maxHeldBytes: 1e12 };
const ENDED = "calls ended: they did not move while too many bytes were held";

// These tests mostly wait, and each attack has its own server. They therefore run concurrently.
describe.concurrent("uploads that never end", () => {
  test("of one connection take little memory, and are ended; without the limit they take what they claim", async () => {
    const attack = async (limits: object) => {
      await using server = await startMeasuredServer({ limits });
      const before = await server.memoryBytes();
      const { client } = await unfinishedUploads(server.port, {
        streams: 32,
        headers: server.headers,
        quietMs: 30_000,
      });
      const isHeld = limits !== lifted;
      let bytes = (await server.memoryBytes()) - before;
      // On a busy machine the attack itself is slow.
      while (!isHeld && bytes < 96 * MIB) bytes = (await server.memoryBytes()) - before;
      if (isHeld) {
        await until(() => client.isClosed || client.received.some(({ type }) => type === RST_STREAM));
        expect(await server.logged(ENDED)).toHaveLength(1);
        expect(await server.logged("call")).not.toHaveLength(0);
      }
      client.destroy();
      return bytes;
    };
    const [guarded, open] = await Promise.all([attack({}), attack(lifted)]);
    expect(guarded).toBeLessThan(48 * MIB);
    expect(open).toBeGreaterThan(2 * guarded);
  });

  test("over WebSockets are bounded together", async () => {
    const attack = async (limits: object, wait: (isEnded: () => boolean) => Promise<void>) => {
      await using server = await startServer({ limits });
      const { authorization } = await server.auth();
      const block = `content-type: application/grpc-web+proto\r\nauthorization: ${authorization}\r\n`;
      const head = Buffer.alloc(6);
      head.writeUInt32BE(4 * MIB - 64, 2);
      const sockets = await Promise.all(Array.from({ length: 12 }, () => openRawSocket(server, block)));
      for (const { send } of sockets) {
        send(head);
        for (let i = 0; i < 30; i++) send(Buffer.alloc(64 * 1_024));
      }
      const isEnded = () => server.log.some(({ msg }) => msg === ENDED);
      await wait(isEnded);
      const result = isEnded();
      for (const { socket } of sockets) socket.destroy();
      return result;
    };
    // A server without a budget must leave its calls alone for longer than the guarded one takes to end its calls.
    const beganAtMs = performance.now();
    let endedAfterMs = Number.POSITIVE_INFINITY;
    const guarded = attack({ maxHeldBytes: 4 * MIB }, async (isEnded) => {
      await until(isEnded);
      endedAfterMs = performance.now() - beganAtMs;
    });
    const open = attack(lifted, async () => {
      await until(() => performance.now() - beganAtMs > 1.3 * endedAfterMs);
    });
    expect(await Promise.all([guarded, open])).toEqual([true, false]);
  });
});

describe.concurrent("complete messages of streams that go no further", () => {
  const chunk = Buffer.alloc(2 * MIB, "a");
  const message = toBinary(ClientStreamRequestSchema, create(ClientStreamRequestSchema, { chunk }));

  test.each(["identity", "br"] as const)(
    "take little memory (%s), and are ended only while they are many",
    async (coding) => {
      const attack = async (limits: object, streams: number) => {
        await using server = await startMeasuredServer({ limits });
        const before = await server.memoryBytes();
        const client = http2.connect(server.url);
        const envelope = envelopeOf(message, coding);
        let ended = 0;
        for (let i = 0; i < streams; i++) {
          const stream = client.request({
            ...postTo("/stream.v1.StreamService/ClientStream", server.headers),
            "content-type": "application/grpc+proto",
            "grpc-encoding": coding,
          });
          stream.on("close", () => ended++).on("error", () => {});
          stream.write(envelope);
        }
        // Meanwhile, other calls of the connection are served, until all messages have arrived.
        const users = createClient(UserService, createGrpcTransport({ baseUrl: server.url }));
        for (let i = 0; i < 300; i++) {
          await users.listUsers({}, { headers: server.headers });
          await new Promise((resolve) => setTimeout(resolve, 10));
        }
        let bytes = (await server.memoryBytes()) - before;
        while (limits === lifted && bytes < 64 * MIB) bytes = (await server.memoryBytes()) - before;
        if (streams > 20 && limits !== lifted) await until(() => ended > 0);
        client.destroy();
        return { bytes, ended };
      };
      const limits = { maxConnectionBytes: 4 * MIB };
      const attacks = [attack(limits, 12), attack(limits, 60), attack(lifted, 60)] as const;
      const [few, guarded, open] = await Promise.all(attacks);
      expect([few.ended, open.ended]).toEqual([0, 0]);
      expect(guarded.bytes).toBeLessThan(open.bytes / 2);
    },
  );
});

describe.concurrent("answers that nobody reads", () => {
  const limits = { maxConnectionBytes: MIB, maxHeldBytes: 4 * MIB };

  test("keep further calls of their connection from beginning, and nobody else's", async () => {
    const attack = async (limits: object) => {
      await using server = await startMeasuredServer({ limits });
      await server.createUsers(100);
      const [client] = await unreadLists(server.port, { connections: 1, streams: 120, headers: server.headers });
      if (!client) throw new Error("no connection");
      await until(() => client.received.filter(({ type }) => type === HEADERS).length >= 60);
      const further = Array.from({ length: 20 }, () => client.request(postTo("/nothing-here"), 1));
      await until(() => {
        const answered = new Set(client.received.filter(({ type }) => type !== WINDOW_UPDATE).map((f) => f.streamId));
        return further.every((streamId) => answered.has(streamId));
      });
      const refused = client.received.filter(({ type, payload }) => {
        return type === RST_STREAM && payload.readUInt32BE(0) === REFUSED_STREAM;
      });
      const users = createClient(UserService, createGrpcTransport({ baseUrl: server.url }));
      expect((await users.listUsers({}, { headers: server.headers })).users).not.toHaveLength(0);
      client.destroy();
      return refused.length;
    };
    const [guarded, open] = await Promise.all([attack(limits), attack(lifted)]);
    expect(guarded).toBeGreaterThan(0);
    expect(open).toBe(0);
  });

  test("are ended when they do not move, and then the connection may call again", async () => {
    await using server = await startMeasuredServer({ limits });
    await server.createUsers(100);
    const [client] = await unreadLists(server.port, { connections: 1, streams: 100, headers: server.headers });
    if (!client) throw new Error("no connection");
    await until(() => {
      const resets = client.received.filter(
        ({ type, payload }) => type === RST_STREAM && payload.readUInt32BE(0) !== 7,
      );
      return resets.length > 0;
    });
    expect(await server.logged(ENDED)).toHaveLength(1);
    const streamId = client.request({ ":method": "GET", ":scheme": "http", ":path": "/healthz", ":authority": "a" }, 1);
    await client.next((received) => received.type === HEADERS && received.streamId === streamId);
    client.destroy();
  });

  test("over HTTP/1.1 hold the requests behind them until they have left", async () => {
    let begun = 0;
    const large = withProbe({
      unary() {
        begun += 1;
        return { value: "x".repeat(200_000) };
      },
    });
    await using server = await startServer({ ...large, limits: { maxConnectionBytes: MIB } });
    const { authorization } = await server.auth();
    const request = `POST /probe.v1.ProbeService/Unary HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\nauthorization: ${authorization}\r\ncontent-length: 2\r\n\r\n""`;
    const socket = (await import("node:net")).connect(server.port, "127.0.0.1");
    await once(socket, "connect");
    socket.pause();
    socket.write(request.repeat(100));
    await until(() => begun > 0);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    socket.write(request.repeat(100));
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(begun).toBeLessThan(150);
    // A client that reads gets all answers.
    const statusLine = "HTTP/1.1 200";
    let answers = 0;
    let rest = "";
    socket.on("data", (bytes) => {
      const parts = (rest + bytes.toString("latin1")).split(statusLine);
      answers += parts.length - 1;
      // A status line may be split between two reads.
      rest = (parts.at(-1) ?? "").slice(1 - statusLine.length);
    });
    socket.resume();
    await until(() => answers === 200);
    socket.destroy();
  });
});

describe.concurrent("what is within its budget goes on", () => {
  test("an upload of messages of 4 MiB", async () => {
    await using server = await startServer();
    const streams = createClient(StreamService, createGrpcTransport({ baseUrl: server.url }));
    const upload = (chunkBytes: number) =>
      streams.clientStream(
        (async function* () {
          for (let i = 0; i < 6; i++) yield { chunk: new Uint8Array(chunkBytes) };
        })(),
        { headers },
      );
    const headers = await server.auth();
    expect((await upload(4 * MIB - 64)).totalBytes).toBe(BigInt(6 * (4 * MIB - 64)));
    // Many simultaneous uploads must take turns, and none of them may fail.
    const receipts = await Promise.all(Array.from({ length: 8 }, () => upload(MIB)));
    expect(new Set(receipts.map(({ totalBytes }) => totalBytes))).toEqual(new Set([BigInt(6 * MIB)]));
  });

  test("a large answer that is read slowly", async () => {
    const large = withProbe({ unary: () => ({ value: "x".repeat(4_000_000) }) });
    await using server = await startServer(large);
    const client = await RawHttp2.open(server.port, { initialWindowBytes: 0 });
    const headers = await server.auth();
    const streamId = client.request(postTo("/probe.v1.ProbeService/Unary", headers));
    client.send(frame(0, 1, streamId, Buffer.from('""')));
    await client.next(({ type }) => type === HEADERS);
    const received = () =>
      client.received.filter(({ type }) => type === 0).reduce((n, { payload }) => n + payload.length, 0);
    // This takes longer than a call that blocks others may stand still.
    for (let i = 0; i < 14; i++) {
      client.send(frame(WINDOW_UPDATE, 0, streamId, uint32(20_000)), frame(WINDOW_UPDATE, 0, 0, uint32(20_000)));
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    client.send(frame(WINDOW_UPDATE, 0, streamId, uint32(5_000_000)), frame(WINDOW_UPDATE, 0, 0, uint32(5_000_000)));
    await until(() => client.isClosed || received() === 4_000_002);
    expect(client.isClosed).toBe(false);
    client.destroy();
  });
});
