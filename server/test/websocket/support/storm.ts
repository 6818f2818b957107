import { randomBytes, randomInt } from "node:crypto";
import { connect, type Socket } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { create, toBinary } from "@bufbuild/protobuf";
import { encodeEnvelope } from "@connectrpc/connect/protocol";
import { BidiRequestSchema } from "@rollcall/gen/stream/v1/stream";
import { body, CHAT, HALF_CLOSE } from "@rollcall/testing/raw/web-socket";
import type { TestServer } from "@rollcall/testing/start-server";

/** Longest wait for an answer, and the lifetime of a broken connection, in milliseconds. */
const ANSWER_TIMEOUT_MS = 20_000;
const BROKEN_LIFETIME_MS = 300;

export interface StormOptions {
  /** Number of valid calls to make. */
  calls: number;
  /** Number of concurrent calls. */
  parallel: number;
  /** Number of connections with broken HTTP/1.1 at any time, until all calls have been made. */
  broken: number;
}

export interface StormReport {
  succeeded: number;
  /** Number of connections whose HTTP/1.1 was broken. */
  broken: number;
  /** Answers of valid calls that were not as expected, with all data that is needed to repeat the calls. */
  failures: { reason: string; chunks: string[]; answer: string }[];
}

/**
 * Makes valid WebSocket calls that do not wait for the answer to their handshake: a call's bytes arrive with the
 * upgrade request, or cut anywhere. Meanwhile, other connections send HTTP/1.1 that is broken in many ways.
 */
export async function storm(server: TestServer, { calls, parallel, broken }: StormOptions): Promise<StormReport> {
  const report: StormReport = { succeeded: 0, broken: 0, failures: [] };
  const token = await server.token();
  let started = 0;
  let isOver = false;
  const callers = Array.from({ length: parallel }, async () => {
    while (started < calls) {
      started += 1;
      await callOnce(server, token, report);
    }
  });
  const breakers = Array.from({ length: broken }, async () => {
    while (!isOver) {
      await breakOnce(server, token);
      report.broken += 1;
    }
  });
  await Promise.all(callers);
  isOver = true;
  await Promise.all(breakers);
  return report;
}

async function callOnce(server: TestServer, token: string, report: StormReport): Promise<void> {
  const id = randomBytes(6).toString("hex");
  const parts = callParts(server.port, token, id);
  const chunks = randomInt(4) === 0 ? parts : cut(Buffer.concat(parts), parts[0]?.length ?? 0);
  const { answer, reason } = await exchange(server.port, chunks, (text) => text.includes("grpc-status: "));
  const isWhole = answer.includes(`Echo: ${id}`) && answer.includes(`Echo: second ${id}`);
  if (isWhole && answer.includes("grpc-status: 0")) report.succeeded += 1;
  else report.failures.push({ reason, chunks: chunks.map((chunk) => chunk.toString("base64")), answer });
}

/** Returns the packets of a call: upgrade request, header block, two messages, half-close. */
function callParts(port: number, token: string, id: string): Buffer[] {
  const lines = ["content-type: application/grpc-web+proto", `authorization: Bearer ${token}`];
  const padding = "z".repeat([0, 0, 100, 5_000, 70_000][randomInt(5)] ?? 0);
  const say = (message: string) =>
    body(encodeEnvelope(0, toBinary(BidiRequestSchema, create(BidiRequestSchema, { message }))));
  return [
    Buffer.from(upgradeRequest(port)),
    maskedFrame(Buffer.from(lines.map((line) => `${line}\r\n`).join(""))),
    maskedFrame(say(`${id}${padding}`)),
    maskedFrame(say(`second ${id}`)),
    maskedFrame(HALF_CLOSE),
  ];
}

function upgradeRequest(port: number): string {
  return (
    `GET ${CHAT} HTTP/1.1\r\nhost: localhost:${port}\r\nconnection: upgrade\r\nupgrade: websocket\r\n` +
    "sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n" +
    "sec-websocket-protocol: grpc-websockets\r\n\r\n"
  );
}

/** Returns a binary frame as a browser sends it (RFC 6455, 5.2). */
function maskedFrame(payload: Buffer): Buffer {
  const mask = randomBytes(4);
  const { length } = payload;
  const header = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10);
  header.writeUInt8(0x82, 0);
  header.writeUInt8(0x80 | (header.length === 2 ? length : header.length === 4 ? 126 : 127), 1);
  if (header.length === 4) header.writeUInt16BE(length, 2);
  if (header.length === 10) header.writeBigUInt64BE(BigInt(length), 2);
  const masked = payload.map((byte, at) => byte ^ (mask[at % 4] ?? 0));
  return Buffer.concat([header, mask, masked]);
}

/** Cuts the bytes into a few chunks, either anywhere or always near one place. */
function cut(bytes: Buffer, near: number): Buffer[] {
  const isNear = randomInt(2) === 0;
  const at = () => (isNear ? Math.max(0, near + randomInt(-6, 16)) : randomInt(bytes.length + 1));
  const cuts = Array.from({ length: randomInt(0, 8) }, at).sort((a, b) => a - b);
  return [0, ...cuts].map((start, index) => bytes.subarray(start, cuts[index] ?? bytes.length));
}

/** Returns HTTP/1.1 with a fault in it, or WebSocket calls in which some bytes were changed or lost. */
function brokenBytes(port: number, token: string): Buffer {
  const json = "host: localhost\r\ncontent-type: application/json\r\n";
  const upgrade = upgradeRequest(port);
  const withBody = (line: string) => upgrade.replace("upgrade: websocket\r\n", `upgrade: websocket\r\n${line}\r\n`);
  const call = () => Buffer.concat(callParts(port, token, "broken"));
  const zipped = gzipSync(Buffer.alloc(5_000, "a"));
  const variants: (() => Buffer | string)[] = [
    () => randomBytes(randomInt(1, 3_000)),
    () => "GET / HTTP/1.1\r\nhost",
    () => "GET / HTTP/9.1\r\nhost: a\r\n\r\n",
    () => "GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n\0\0\0",
    () => `GET /healthz HTTP/1.1\r\nhost: localhost\r\nx: ${"a".repeat(20_000)}\r\n\r\n`,
    () => `POST /user.v1.UserService/GetUser HTTP/1.1\r\n${json}transfer-encoding: chunked\r\n\r\n5\r\nabc\r\nzz\r\n`,
    () => `POST /user.v1.UserService/GetUser HTTP/1.1\r\n${json}content-length: 5\r\ncontent-length: 6\r\n\r\n`,
    () => `POST /user.v1.UserService/GetUser HTTP/1.1\r\n${json}content-length: 500\r\n\r\n{"id":"`,
    () =>
      Buffer.concat([
        Buffer.from(
          `POST /user.v1.UserService/CreateUser HTTP/1.1\r\n${json}authorization: Bearer ${token}\r\n` +
            `content-encoding: gzip\r\ncontent-length: ${zipped.length}\r\n\r\n`,
        ),
        flip(zipped),
      ]),
    () => "CONNECT a:1 HTTP/1.1\r\nhost: a\r\n\r\nabc",
    () => "PRI * HTTP/2.0\r\n\r\nXX",
    () => `${"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(5)}${upgrade}abc`,
    () => `${withBody("content-length: 10")}12345`,
    () => `${withBody("transfer-encoding: chunked")}zz\r\n`,
    () => upgrade.replace("13", "99"),
    () => `${upgrade}GET / HTTP/1.1\r\n\r\n`,
    () => upgrade.slice(0, randomInt(upgrade.length)),
    () => flip(call()),
    () => call().subarray(0, randomInt(1, upgrade.length + 300)),
  ];
  const variant = variants[randomInt(variants.length)]?.() ?? "";
  return typeof variant === "string" ? Buffer.from(variant) : variant;
}

function flip(bytes: Buffer): Buffer {
  for (let count = randomInt(1, 6); count > 0; count--) bytes[randomInt(Math.min(bytes.length, 600))] = randomInt(256);
  return bytes;
}

async function breakOnce(server: TestServer, token: string): Promise<void> {
  const bytes = brokenBytes(server.port, token);
  const chunks = randomInt(3) === 0 ? cut(bytes, Math.min(20, bytes.length - 1)) : [bytes];
  await exchange(server.port, chunks, () => false, randomInt(BROKEN_LIFETIME_MS));
}

/** Sends each chunk as a separate packet, with or without a turn of the loop between two. */
async function exchange(
  port: number,
  chunks: readonly Buffer[],
  isWhole: (answer: string) => boolean,
  timeoutMs = ANSWER_TIMEOUT_MS,
): Promise<{ answer: string; reason: string }> {
  const socket = connect({ port, host: "localhost", noDelay: true });
  const { promise, resolve } = Promise.withResolvers<string>();
  const timer = setTimeout(resolve, timeoutMs, "no answer in time");
  const received: Buffer[] = [];
  socket.on("data", (data: Buffer) => {
    received.push(data);
    if (isWhole(Buffer.concat(received.slice(-4)).toString("latin1"))) resolve("answered");
  });
  socket.on("error", (error) => resolve(String(error))).on("close", () => resolve("closed"));
  socket.on("connect", () => void sendEach(socket, chunks));
  const reason = await promise;
  clearTimeout(timer);
  socket.destroy();
  return { answer: Buffer.concat(received).toString("latin1"), reason };
}

async function sendEach(socket: Socket, chunks: readonly Buffer[]): Promise<void> {
  for (const chunk of chunks) {
    if (socket.destroyed) return;
    socket.write(chunk);
    if (randomInt(2) === 0) await turn();
  }
}
