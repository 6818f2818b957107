/**
 * The limit of node:http2: its core API, constant answers encoded at the start, nothing checked. A contestant that is
 * built on node:http2 can only be slower.
 */
import { createHash } from "node:crypto";
import http2, { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import { create, toBinary } from "@bufbuild/protobuf";
import {
  BidiResponseSchema,
  ClientStreamResponseSchema,
  ServerStreamResponseSchema,
} from "@rollcall/gen/stream/v1/stream";
import { encodeListReply, encodeUserReply, envelope } from "./shared/messages.ts";
import { readSettings, STREAM_MESSAGES } from "./shared/settings.ts";
import { seededUsers } from "./shared/users.ts";

/** The same windows as Rollcall's for an upload. */
const STREAM_WINDOW_BYTES = 1024 ** 2;
const CONNECTION_WINDOW_BYTES = 4 * 1024 ** 2;

const settings = readSettings();
const users = seededUsers();
const [first] = users;
if (!first) throw new Error("there are no users");
const userReply = Buffer.from(encodeUserReply(first));
const envelopedUserReply = envelope(userReply);
const listReply = envelope(encodeListReply(users.slice(0, 100)));
const echo = envelope(toBinary(BidiResponseSchema, create(BidiResponseSchema, { reply: "Echo: ping" })));
const results = Array.from({ length: STREAM_MESSAGES }, (_, sequence) => {
  const message = create(ServerStreamResponseSchema, { data: `Result ${sequence} for query: x`, sequence });
  return envelope(toBinary(ServerStreamResponseSchema, message));
});

const GRPC_HEADERS = { ":status": 200, "content-type": "application/grpc+proto" };
const PROTO_HEADERS = { ":status": 200, "content-type": "application/proto" };
const TRAILERS = { "grpc-status": "0" };

function respond(stream: ServerHttp2Stream): void {
  stream.respond(GRPC_HEADERS, { waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers(TRAILERS));
}

function answer(stream: ServerHttp2Stream, reply: Buffer): void {
  stream.resume();
  respond(stream);
  stream.end(reply);
}

/** Sends each message by its own write, as if it came from a handler. */
function sendResults(stream: ServerHttp2Stream): void {
  stream.resume();
  respond(stream);
  let next = 0;
  const send = () => {
    while (next < results.length) if (!stream.write(results[next++])) return;
    stream.end();
  };
  stream.on("drain", () => (next < results.length ? send() : stream.end()));
  send();
}

function takeUpload(stream: ServerHttp2Stream): void {
  const hash = settings.hashes ? createHash("sha256") : undefined;
  let totalBytes = 0;
  stream.on("data", (chunk: Buffer) => {
    totalBytes += chunk.byteLength;
    hash?.update(chunk);
  });
  stream.on("end", () => {
    const receipt = { totalBytes: BigInt(totalBytes), checksum: hash?.digest("hex") ?? "" };
    respond(stream);
    stream.end(envelope(toBinary(ClientStreamResponseSchema, create(ClientStreamResponseSchema, receipt))));
  });
}

/** Answers each message of a conversation by its own write. */
function chat(stream: ServerHttp2Stream): void {
  respond(stream);
  let rest: Buffer = Buffer.alloc(0);
  stream.on("data", (chunk: Buffer) => {
    const bytes = rest.byteLength === 0 ? chunk : Buffer.concat([rest, chunk]);
    let offset = 0;
    let hasRoom = true;
    while (bytes.byteLength - offset >= 5) {
      const end = offset + 5 + bytes.readUInt32BE(offset + 1);
      if (end > bytes.byteLength) break;
      offset = end;
      hasRoom = stream.write(echo);
    }
    rest = bytes.subarray(offset);
    if (!hasRoom) stream.pause();
  });
  stream.on("drain", () => stream.resume());
  stream.on("end", () => stream.end());
}

function getUser(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
  if (headers["content-type"] !== "application/proto") {
    answer(stream, envelopedUserReply);
    return;
  }
  stream.resume();
  stream.respond(PROTO_HEADERS);
  stream.end(userReply);
}

const handlers: Readonly<Record<string, (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void>> = {
  "/user.v1.UserService/GetUser": getUser,
  "/user.v1.UserService/CreateUser": getUser,
  "/user.v1.UserService/ListUsers": (stream) => answer(stream, listReply),
  "/stream.v1.StreamService/ServerStream": sendResults,
  "/stream.v1.StreamService/ClientStream": takeUpload,
  "/stream.v1.StreamService/BidirectionalStream": chat,
};

const options = { settings: { initialWindowSize: STREAM_WINDOW_BYTES } };
const server = settings.tls ? http2.createSecureServer({ ...options, ...settings.tls }) : http2.createServer(options);
server.on("session", (session) => session.setLocalWindowSize(CONNECTION_WINDOW_BYTES));
server.on("stream", (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
  stream.on("error", () => {});
  const handle = handlers[headers[":path"] ?? ""];
  if (handle) handle(stream, headers);
  else stream.close(constants.NGHTTP2_REFUSED_STREAM);
});
server.listen(settings.port, "127.0.0.1");
