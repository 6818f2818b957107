import { once } from "node:events";
import type { ClientHttp2Session } from "node:http2";
import { create, toBinary } from "@bufbuild/protobuf";
import { BidiRequestSchema } from "@rollcall/gen/stream/v1/stream";
import { GetUserRequestSchema } from "@rollcall/gen/user/v1/user";
import WebSocket from "ws";
import { envelope } from "../../contestants/shared/messages.ts";
import { callUnary, openCall, openSession } from "../../load/grpc-session.ts";
import { INSPECT_ARGS, settledBytes } from "../inspector.ts";
import { paths } from "../requests.ts";
import { seedUsers } from "../seed-users.ts";
import { startTarget, type Target } from "../target.ts";
import type { Workload } from "./workload.ts";

/** Number of streams that are opened first and not counted, since the first ones create code and tables. */
const WARM_UP_COUNT = 100;
const COUNT = 800;
/** Most rounds: memory varies less than a rate, and a round takes seconds. */
const MAX_ROUNDS = 3;
/** Streams on each connection. Rollcall accepts 256 at most. */
const STREAMS_PER_CONNECTION = 200;

const PING = envelope(toBinary(BidiRequestSchema, create(BidiRequestSchema, { message: "ping" })));

/** Opens another idle stream or connection, and waits until it has been answered once. */
type OpenNext = (target: Target, userId: string) => Promise<Disposable>;

function createMemoryWorkload(
  name: string,
  title: string,
  contestants: readonly string[],
  openNext: () => OpenNext,
): Workload {
  return {
    name,
    title,
    metrics: [{ name: "kilobytes", title: "kB each", unit: "kB", digits: 1 }],
    contestants,
    needsH2load: false,
    maxRounds: MAX_ROUNDS,
    async open(context, contestant) {
      return {
        async measure() {
          await using target = await startTarget(context, contestant, { nodeArgs: INSPECT_ARGS });
          using held = new DisposableStack();
          const userId = await seedUsers(target);
          const openOne = openNext();
          const hold = async (count: number) => {
            for (let index = 0; index < count; index++) held.use(await openOne(target, userId));
          };
          await hold(WARM_UP_COUNT);
          const before = await settledBytes(target);
          await hold(COUNT);
          const after = await settledBytes(target);
          return {
            kilobytes: before === undefined || after === undefined ? undefined : (after - before) / COUNT / 1e3,
          };
        },
        async [Symbol.asyncDispose]() {},
      };
    },
  };
}

/** Bidirectional streams over a few HTTP/2 connections. */
function bidiStreams(): OpenNext {
  let session: ClientHttp2Session;
  let opened = 0;
  return async ({ url, token }) => {
    if (opened % STREAMS_PER_CONNECTION === 0) session = openSession(url);
    opened += 1;
    const owner = session;
    const stream = openCall(owner, paths.bidirectionalStream, token);
    stream.on("error", () => {});
    stream.write(PING);
    await once(stream, "data");
    return { [Symbol.dispose]: () => owner.destroy() };
  };
}

/** HTTP/2 connections that have made a call. */
function connections(): OpenNext {
  return async ({ url, token }, id) => {
    const session = openSession(url);
    const body = envelope(toBinary(GetUserRequestSchema, create(GetUserRequestSchema, { id })));
    await callUnary(session, paths.getUser, token, body);
    return { [Symbol.dispose]: () => session.destroy() };
  };
}

/** Bidirectional streams of browsers: a WebSocket each, with the subprotocol grpc-websockets. */
function webSockets(): OpenNext {
  return async ({ url, token }) => {
    const socket = new WebSocket(`${url.replace("http", "ws")}${paths.bidirectionalStream}`, ["grpc-websockets"]);
    await once(socket, "open");
    socket.send(Buffer.from(`authorization: Bearer ${token}\r\ncontent-type: application/grpc-web+proto\r\n`));
    socket.send(Buffer.concat([Buffer.of(0), PING]));
    // The first frame is the header of the answer, the second one the message. The limit has only one frame.
    await once(socket, "message");
    return { [Symbol.dispose]: () => socket.terminate() };
  };
}

export const memoryWorkloads: readonly Workload[] = [
  createMemoryWorkload(
    "idle-bidi",
    "Memory of an idle bidirectional stream over h2c",
    ["bare-http2", "rollcall", "rollcall-stock", "connect-fastify", "grpc-js", "nice-grpc"],
    bidiStreams,
  ),
  createMemoryWorkload(
    "idle-websocket",
    "Memory of an idle bidirectional stream over a WebSocket",
    ["bare-ws", "rollcall", "rollcall-stock"],
    webSockets,
  ),
  createMemoryWorkload(
    "idle-connection",
    "Memory of an idle HTTP/2 connection",
    ["bare-http2", "rollcall", "rollcall-stock", "connect-fastify", "grpc-js", "nice-grpc"],
    connections,
  ),
];
