import { once } from "node:events";
import http2, { type ClientHttp2Stream } from "node:http2";
import { CHAT, say } from "@rollcall/testing/raw/web-socket";
import { startBystander } from "../../hardening/support/bystander.ts";
import { type MeasuredServer, startMeasuredServer } from "../../hardening/support/measured-server.ts";

/** Streams per connection, below the server's limit of 256. */
const STREAMS_PER_CONNECTION = 250;

export interface IdleStreams {
  /** Used memory per stream, with the stream's share of its connection, in bytes. */
  readonly usedBytes: number;
  /** Physical memory per stream, in bytes. */
  readonly residentBytes: number;
  /** Memory per stream that is still in use after all streams have ended, in bytes. */
  readonly leftBytes: number;
  /** Number of other callers' calls that failed while the streams were open. */
  readonly failures: number;
}

/** Opens gRPC conversations, exchanges one message in each, and measures their memory while they are idle. */
export async function measureIdleStreams(count: number): Promise<IdleStreams> {
  await using server = await startMeasuredServer({ dropsLog: true });
  // The first streams of a process use more memory than later ones.
  for (const session of await open(server, STREAMS_PER_CONNECTION)) session.destroy();
  const before = await memoryOf(server);
  const bystander = await startBystander(server.url, server.headers);
  const sessions = await open(server, count);
  const { failures } = await bystander.stop();
  const during = await memoryOf(server);
  for (const session of sessions) session.destroy();
  while ((await server.openHandles()).sockets > 0);
  const after = await memoryOf(server);
  return {
    usedBytes: (during.used - before.used) / count,
    residentBytes: (during.resident - before.resident) / count,
    leftBytes: (after.used - before.used) / count,
    failures,
  };
}

async function open({ url, headers }: MeasuredServer, count: number): Promise<http2.ClientHttp2Session[]> {
  const sessions: http2.ClientHttp2Session[] = [];
  for (let left = count; left > 0; left -= STREAMS_PER_CONNECTION) {
    const session = http2.connect(url);
    sessions.push(session);
    const streams = Array.from({ length: Math.min(left, STREAMS_PER_CONNECTION) }, () =>
      session
        .request({ ":method": "POST", ":path": CHAT, "content-type": "application/grpc", te: "trailers", ...headers })
        .on("error", () => {}),
    );
    for (const stream of streams) stream.write(say("hello").subarray(1));
    await Promise.all(streams.map(readReply));
  }
  return sessions;
}

/** Waits for the reply, which shows that the stream is open. A refused stream has none. */
async function readReply(stream: ClientHttp2Stream): Promise<void> {
  const refused = once(stream, "close").then(() => Promise.reject(new Error("a stream was refused")));
  await Promise.race([once(stream, "data"), refused]);
}

async function memoryOf(server: MeasuredServer) {
  return { used: await server.memoryBytes(), resident: await server.residentBytes() };
}
