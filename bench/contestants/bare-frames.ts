/**
 * Server of a constant user over HTTP/2 with hand-made frames, for clients that could wait for one on node:http2. It
 * does not look at requests: it answers each, by gRPC or Connect, as it was told at its start.
 */
import { createServer, type Socket } from "node:net";
import {
  ACK,
  DATA,
  END_HEADERS,
  END_STREAM,
  type Frame,
  frame,
  HEADERS,
  headerBlock,
  PING,
  PREFACE,
  SETTINGS,
  splitFrames,
  uint32,
  WINDOW_UPDATE,
} from "@rollcall/testing/raw/http2";
import { encodeUserReply, envelope } from "./shared/messages.ts";
import { readSettings } from "./shared/settings.ts";
import { seededUsers } from "./shared/users.ts";

/** Bytes of requests after which the client may send as many again; half of a connection's first window. */
const WINDOW_STEP_BYTES = 32 * 1_024;
/** Where a frame has the number of its stream (RFC 9113, 4.1). */
const STREAM_ID_AT = 5;

const settings = readSettings();
const [first] = seededUsers();
if (!first) throw new Error("there are no users");
const reply = encodeUserReply(first);
const answer = process.env.BENCH_PROTOCOL === "connect" ? connectAnswer() : grpcAnswer();
const bytesOfAnswer = Buffer.concat(answer);
/** Where its frames begin. */
const starts = answer.map((_, index) => Buffer.concat(answer.slice(0, index)).byteLength);

function grpcAnswer(): Buffer[] {
  const head = headerBlock({ ":status": "200", "content-type": "application/grpc+proto" });
  return [
    frame(HEADERS, END_HEADERS, 0, head),
    frame(DATA, 0, 0, envelope(reply)),
    frame(HEADERS, END_HEADERS | END_STREAM, 0, headerBlock({ "grpc-status": "0" })),
  ];
}

function connectAnswer(): Buffer[] {
  const head = headerBlock({ ":status": "200", "content-type": "application/proto" });
  return [frame(HEADERS, END_HEADERS, 0, head), frame(DATA, END_STREAM, 0, reply)];
}

function answerTo(streamId: number): Buffer {
  const bytes = Buffer.from(bytesOfAnswer);
  for (const start of starts) bytes.writeUInt32BE(streamId, start + STREAM_ID_AT);
  return bytes;
}

function serve(socket: Socket): void {
  let rest: Buffer = Buffer.alloc(0);
  let awaitsPreface = true;
  let unannouncedBytes = 0;
  /** Is sent in one write. */
  let outgoing: Uint8Array[] = [frame(SETTINGS, 0, 0)];
  const react = ({ type, flags, streamId, payload }: Frame) => {
    if (type === DATA) unannouncedBytes += payload.byteLength;
    if ((type === DATA || type === HEADERS) && flags & END_STREAM) outgoing.push(answerTo(streamId));
    else if (type === SETTINGS && !(flags & ACK)) outgoing.push(frame(SETTINGS, ACK, 0));
    else if (type === PING && !(flags & ACK)) outgoing.push(frame(PING, ACK, 0, payload));
  };
  socket.setNoDelay();
  // A client's end may be a reset.
  socket.on("error", () => {});
  socket.on("data", (bytes: Buffer) => {
    rest = rest.byteLength === 0 ? bytes : Buffer.concat([rest, bytes]);
    if (awaitsPreface) {
      if (rest.byteLength < PREFACE.byteLength) return;
      awaitsPreface = false;
      rest = rest.subarray(PREFACE.byteLength);
    }
    rest = splitFrames(rest, react);
    if (unannouncedBytes >= WINDOW_STEP_BYTES) {
      outgoing.push(frame(WINDOW_UPDATE, 0, 0, uint32(unannouncedBytes)));
      unannouncedBytes = 0;
    }
    if (outgoing.length > 0) socket.write(Buffer.concat(outgoing));
    outgoing = [];
  });
}

createServer(serve).listen(settings.port, "127.0.0.1");
