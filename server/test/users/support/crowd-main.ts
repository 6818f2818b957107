/**
 * Watches users with many streams, over HTTP/2 that is framed by hand, since library clients would be slower than the
 * server. Usage: `crowd-main.ts PORT AUTHORIZATION WATCHERS`. The parent process sends its requests as messages.
 */

import { connect, type Socket } from "node:net";
import { fromBinary } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { WatchUsersResponseSchema } from "@rollcall/gen/user/v1/user";
import {
  DATA,
  END_HEADERS,
  END_STREAM,
  frame,
  HEADERS,
  headerBlock,
  PING,
  PREFACE,
  postTo,
  SETTINGS,
  uint32,
  WINDOW_UPDATE,
} from "@rollcall/testing/raw/http2";
import { statusIn } from "./status-in.ts";

const STREAMS_OF_CONNECTION = 200;
/** One of this many streams is sampled: its events are read, to measure their delay. */
const SAMPLED = 20;
const ACK = 1;
const MAX_WINDOW_BYTES = 2 ** 31 - 1;
const WINDOW_STEP_BYTES = 16 * 1_024 ** 2;
const HEAD_BYTES = 5;
/** First bytes of messages: the tags of the event fields 1 and 2, in protobuf's form for fields with a length. */
const [CREATED, UPDATED] = [0x0a, 0x12];

const [port = "", authorization = "", watchers = "0"] = process.argv.slice(2);

let synced = 0;
let created = 0;
let updated = 0;
let ended = 0;
let slow = 0;
let frames = 0;
let delaysMs: number[] = [];

/** Counts the messages of one stream. Reads them if the stream is sampled. */
class Stream {
  readonly #isSampled: boolean;
  #rest: Buffer = Buffer.alloc(0);
  #isSynced = false;

  constructor(isSampled: boolean) {
    this.#isSampled = isSampled;
  }

  take(payload: Buffer): void {
    const bytes = this.#rest.length > 0 ? Buffer.concat([this.#rest, payload]) : payload;
    let at = 0;
    while (bytes.length - at >= HEAD_BYTES) {
      const end = at + HEAD_BYTES + bytes.readUInt32BE(at + 1);
      if (end > bytes.length) break;
      if (!this.#isSynced) {
        this.#isSynced = true;
        synced += 1;
      } else if (bytes[at + HEAD_BYTES] === CREATED) created += 1;
      else if (bytes[at + HEAD_BYTES] === UPDATED) {
        updated += 1;
        if (this.#isSampled) this.#read(bytes.subarray(at + HEAD_BYTES, end));
      }
      at = end;
    }
    this.#rest = at === bytes.length ? Buffer.alloc(0) : Buffer.from(bytes.subarray(at));
  }

  #read(message: Buffer): void {
    const { event } = fromBinary(WatchUsersResponseSchema, message);
    if (event.case === "updated") delaysMs.push(performance.timeOrigin + performance.now() - Number(event.value.name));
  }
}

function watch(socket: Socket, first: number, count: number): void {
  const streams = Array.from({ length: count }, (_, index) => new Stream((first + index) % SAMPLED === 0));
  const settings = Buffer.concat([Buffer.of(0, 4), uint32(MAX_WINDOW_BYTES)]);
  socket.write(Buffer.concat([PREFACE, frame(SETTINGS, 0, 0, settings), frame(WINDOW_UPDATE, 0, 0, uint32(2 ** 30))]));
  const more = { "content-type": "application/grpc", te: "trailers", authorization };
  const headers = headerBlock(postTo("/user.v1.UserService/WatchUsers", more));
  for (const index of streams.keys()) {
    const id = 2 * index + 1;
    socket.write(
      Buffer.concat([frame(HEADERS, END_HEADERS, id, headers), frame(DATA, END_STREAM, id, Buffer.alloc(HEAD_BYTES))]),
    );
  }
  let rest: Buffer = Buffer.alloc(0);
  let consumed = 0;
  socket.on("data", (chunk: Buffer) => {
    const bytes = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk;
    let at = 0;
    while (bytes.length - at >= 9) {
      const end = at + 9 + bytes.readUIntBE(at, 3);
      if (end > bytes.length) break;
      const type = bytes[at + 3];
      const flags = bytes[at + 4] ?? 0;
      if (type === DATA) {
        const id = bytes.readUInt32BE(at + 5);
        streams[(id - 1) / 2]?.take(bytes.subarray(at + 9, end));
        frames += 1;
        consumed += end - at - 9;
      } else if (type === HEADERS && flags & END_STREAM) {
        ended += 1;
        if (statusIn(bytes.subarray(at + 9, end)) === Code.ResourceExhausted) slow += 1;
      } else if (type === SETTINGS && flags === 0) socket.write(frame(SETTINGS, ACK, 0));
      else if (type === PING && flags === 0) socket.write(frame(PING, ACK, 0, bytes.subarray(at + 9, end)));
      at = end;
    }
    rest = at === bytes.length ? Buffer.alloc(0) : Buffer.from(bytes.subarray(at));
    if (consumed > WINDOW_STEP_BYTES) {
      socket.write(frame(WINDOW_UPDATE, 0, 0, uint32(consumed)));
      consumed = 0;
    }
  });
  socket.on("error", () => {});
  socket.on("close", () => {
    ended += count;
  });
}

for (let first = 0; first < Number(watchers); first += STREAMS_OF_CONNECTION) {
  const count = Math.min(STREAMS_OF_CONNECTION, Number(watchers) - first);
  const socket = connect(Number(port), "127.0.0.1").setNoDelay();
  socket.once("connect", () => watch(socket, first, count));
}

process.on("message", (question) => {
  if (question === "reset") [created, updated, frames, delaysMs] = [0, 0, 0, []];
  else
    process.send?.({ synced, created, updated, ended, slow, frames, delaysMs: question === "delays" ? delaysMs : [] });
});
process.on("disconnect", () => process.exit(0));
