/**
 * Tests that both carriers give the same answers over WebSockets, whatever a client sends: random calls, valid and not,
 * whose frames are cut anywhere. `pnpm fuzz` tests more: for `FUZZ_SECONDS`, starting with `FUZZ_SEED`.
 */
import { gunzipSync, gzipSync } from "node:zlib";
import { create, toBinary } from "@bufbuild/protobuf";
import { StringValueSchema } from "@bufbuild/protobuf/wkt";
import { encodeEnvelope } from "@connectrpc/connect/protocol";
import { withProbe } from "@rollcall/testing/probe-service";
import { createRandom, type Random } from "@rollcall/testing/random";
import { openSocket } from "@rollcall/testing/raw/web-socket";
import { startServer, type TestServer, until } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";
import { probeHandlers } from "../protocol/support/probe-handlers.ts";

const seed = Number(process.env.FUZZ_SEED ?? 1);
const seconds = Number(process.env.FUZZ_SECONDS ?? 0);
const AT_ONCE = 5;
const CALLS_EACH = 20;

interface Call {
  readonly path: string;
  readonly header: string;
  readonly hasToken: boolean;
  /** Frames after the header block, cut anywhere. */
  readonly pieces: readonly Buffer[];
  /** Whether the client leaves when it has an answer. */
  readonly isCancelled: boolean;
}

const values = ["", "a", "x".repeat(500), "long ".repeat(400), "y".repeat(80_000), "fail", "trailer", "header"];

function makeCall(random: Random): Call {
  const isCancelled = random.isOnce(12);
  const method = isCancelled ? "BidiStream" : random.pick(["Unary", "ServerStream", "ClientStream", "BidiStream"]);
  const type = random.isOnce(15)
    ? random.pick(["application/json", "application/grpc-web-text", "application/grpc-web; charset=utf-8"])
    : random.pick(["application/grpc-web", "application/grpc-web+proto", "application/grpc-web+json"]);
  const lines = [`content-type: ${type}`];
  const isCoded = random.isOnce(2);
  if (isCoded) lines.push(`grpc-encoding: ${random.isOnce(12) ? "unknown" : "gzip"}`);
  if (random.isOnce(2)) lines.push(`grpc-accept-encoding: ${random.pick(["gzip", "br;q=0", "identity", "unknown"])}`);
  if (random.isOnce(12)) lines.push(`grpc-timeout: ${random.pick(["1x", "-5", "99S"])}`);
  if (random.isOnce(25)) lines.push(random.pick(["no colon", ": x", "a b: c", "host: evil.example", "X-Own: 1"]));
  const isJson = type.endsWith("json");
  const parts = isCancelled
    ? [envelopeOf("a", isJson)]
    : Array.from({ length: method === "Unary" ? 1 : random.pick([0, 1, 1, 2, 3, 6]) }, () =>
        makeEnvelope(random, isJson, isCoded, method === "Unary"),
      );
  let bytes = Buffer.concat(parts);
  if (!isCancelled && random.isOnce(8)) bytes = bytes.subarray(0, random.below(bytes.length + 1));
  const frames = cut(random, bytes).flatMap((part) => toFrames(random, Buffer.concat([Buffer.of(0), part])));
  if (!isCancelled) {
    // For a request with one message and two faults, either fault may be reported.
    if (method !== "Unary" && random.isOnce(10))
      frames.push(random.pick([frame(0x81, Buffer.from("text")), frame(0x82, Buffer.of(7, 1))]));
    else frames.push(frame(0x82, Buffer.of(1)));
  }
  return {
    path: `/probe.v1.ProbeService/${method}`,
    header: lines.map((line) => `${line}\r\n`).join(""),
    hasToken: isCancelled || !random.isOnce(15),
    pieces: cut(random, Buffer.concat(frames)),
    isCancelled,
  };
}

function makeEnvelope(random: Random, isJson: boolean, isCoded: boolean, isUnary: boolean): Buffer {
  if (random.isOnce(20)) return Buffer.from(encodeEnvelope(0, Buffer.of(0x0a, 0xff, 0xff, 0x03)));
  const envelope = envelopeOf(random.pick(values), isJson);
  const message = envelope.subarray(5);
  if (!isUnary && random.isOnce(30)) return Buffer.from(encodeEnvelope(random.pick([2, 4, 0x80]), message));
  if (random.isOnce(isCoded ? 2 : 30)) {
    return Buffer.from(encodeEnvelope(1, random.isOnce(15) ? message : gzipSync(message)));
  }
  return envelope;
}

function envelopeOf(value: string, isJson: boolean): Buffer {
  const message = isJson
    ? Buffer.from(JSON.stringify(value))
    : toBinary(StringValueSchema, create(StringValueSchema, { value }));
  return Buffer.from(encodeEnvelope(0, message));
}

function cut(random: Random, bytes: Buffer): Buffer[] {
  const pieces: Buffer[] = [];
  let rest = bytes;
  while (rest.length > 0 && pieces.length < 12) {
    const length = Math.min(rest.length, 1 + random.below(random.pick([4, 30, 3_000, 100_000])));
    pieces.push(rest.subarray(0, length));
    rest = rest.subarray(length);
  }
  if (rest.length > 0) pieces.push(rest);
  return pieces;
}

/** Makes one frame of a WebSocket message, or several with a ping in between. */
function toFrames(random: Random, payload: Buffer): Buffer[] {
  if (payload.length < 2 || !random.isOnce(5)) return [frame(0x82, payload)];
  const at = 1 + random.below(payload.length - 1);
  return [frame(0x02, payload.subarray(0, at)), frame(0x89, Buffer.from("ping")), frame(0x80, payload.subarray(at))];
}

/** Makes a frame with a mask that changes nothing. */
function frame(head: number, payload: Buffer): Buffer {
  const length = payload.length < 126 ? Buffer.of(0x80 | payload.length) : Buffer.alloc(9);
  if (payload.length >= 126) {
    length[0] = 0xff;
    length.writeBigUInt64BE(BigInt(payload.length), 1);
  }
  return Buffer.concat([Buffer.of(head), length, Buffer.alloc(4), payload]);
}

async function send(server: TestServer, call: Call) {
  const linesBefore = server.log.length;
  const { ws, opened, received } = openSocket(server, { path: call.path });
  const closed = new Promise<number>((resolve) => ws.once("close", resolve));
  await opened;
  const { authorization } = await server.auth();
  ws.send(Buffer.from(`${call.header}${call.hasToken ? `authorization: ${authorization}\r\n` : ""}`));
  const { _socket: socket } = ws as unknown as { _socket: { write(bytes: Buffer): void } };
  for (const piece of call.pieces) {
    socket.write(piece);
    await new Promise((resolve) => setImmediate(resolve));
  }
  if (call.isCancelled) {
    // The server itself closes the socket of a refused call, and sends no message.
    await until(() => received.length > 1 || ws.readyState === ws.CLOSED);
    ws.terminate();
  }
  const close = await closed;
  const line = await until(() => server.log.slice(linesBefore).find(({ msg }) => msg === "call"));
  const own = ["grpc-status", "grpc-message", "x-own", "x-own-trailer", "x-of-error", "content-type"];
  const [head, ...rest] = read(Buffer.concat(received));
  const header = (head ?? "").split("\r\n").filter((field) => own.includes(field.split(":", 1)[0] ?? ""));
  return {
    close,
    header: header.sort(),
    envelopes: call.isCancelled ? [] : rest,
    code: line.code,
    error: server.log.slice(linesBefore).find(({ level }) => level === "error"),
  };
}

/** Returns the contents of the envelopes. The first has the headers, and is returned without its flags. */
function read(bytes: Buffer): string[] {
  const envelopes: string[] = [];
  let rest = bytes;
  while (rest.length > 0) {
    const flags = rest[0] ?? 0;
    const end = 5 + rest.readUInt32BE(1);
    const content = rest.subarray(5, end);
    const text = (flags & 1 ? gunzipSync(content) : content).toString("latin1");
    envelopes.push(envelopes.length === 0 ? text : `${flags & ~1} ${flags & 0x80 ? sorted(text) : text}`);
    rest = rest.subarray(end);
  }
  return envelopes;
}

function sorted(trailers: string): string {
  return trailers.split("\r\n").sort().join();
}

/** Compares both carriers' answers to random calls, one after the other. */
async function compare(seed: number): Promise<void> {
  const random = createRandom(seed);
  const options = { ...withProbe(probeHandlers), maxMessageBytes: 100_000 };
  await using direct = await startServer({ ...options, rpcEngine: "direct" });
  await using stock = await startServer({ ...options, rpcEngine: "stock" });
  const endMs = performance.now() + seconds * 1_000;
  for (let i = 0; i < CALLS_EACH || performance.now() < endMs; i++) {
    const call = makeCall(random);
    const [answer, expected] = await Promise.all([send(direct, call), send(stock, call)]);
    const shown = { ...call, pieces: call.pieces.map((piece) => piece.subarray(0, 60).toString("latin1")) };
    expect(answer, `seed ${seed}, call ${i}: ${JSON.stringify(shown)}`).toEqual(expected);
  }
}

test(`calls made up from seed ${seed} on have the same answers by both carriers`, {
  timeout: 600_000 + seconds * 2_000,
}, async () => {
  // Calls mostly wait, so several are compared at the same time. Each lane has its own servers, so their log lines do
  // not mix.
  const seeds = Array.from({ length: AT_ONCE }, (_, lane) => seed + lane);
  await Promise.all(seeds.map(compare));
});
