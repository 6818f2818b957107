import { STREAM_MESSAGES } from "../../contestants/shared/settings.ts";
import { CHAT_REPLY_BYTES, UPLOAD_BYTES } from "../requests.ts";
import { createRateWorkload, type RateOptions } from "./rate.ts";

const ROLLCALL = ["rollcall", "rollcall-memory", "rollcall-stock"];
const GRPC = [
  ...ROLLCALL,
  "connect-fastify",
  "connect-fastify-work",
  "grpc-js",
  "grpc-js-work",
  "nice-grpc",
  "nice-grpc-work",
  "grpc-go",
];
const STREAMING = GRPC.filter((name) => name !== "rollcall-memory");
/** Bytes of a whole server stream, envelopes included. */
const SERVER_STREAM_BYTES = serverStreamBytes();

/** The simplest workload; others are variants of it. */
export const getGrpc: RateOptions = {
  name: "get-grpc",
  title: "GetUser, gRPC over h2c",
  contestants: ["bare-http2", ...GRPC],
  call: "getUser",
  request: (requests, userId, { api }, wire) => requests.getUser(userId, wire, api),
};

/** All workloads that measure a rate with h2load. */
export const rateOptions: readonly RateOptions[] = [
  getGrpc,
  {
    ...getGrpc,
    name: "get-connect-json-h1",
    title: "GetUser, Connect JSON over HTTP/1.1",
    wire: "connect-json-h1",
    contestants: [
      "bare-http2",
      "bare-http",
      ...ROLLCALL,
      "connect-fastify",
      "connect-fastify-work",
      "fastify",
      "fastify-work",
      "trpc",
      "trpc-work",
    ],
  },
  {
    ...getGrpc,
    name: "get-connect-proto-h2",
    title: "GetUser, Connect protobuf over h2c",
    wire: "connect-proto-h2",
    contestants: ["bare-http2", ...ROLLCALL, "connect-fastify", "connect-fastify-work"],
  },
  {
    ...getGrpc,
    name: "get-grpc-tls",
    title: "GetUser, gRPC over TLS",
    usesTls: true,
  },
  {
    ...getGrpc,
    name: "telemetry",
    title: "Cost of telemetry: GetUser, gRPC over h2c",
    contestants: [
      "rollcall-uncounted",
      "rollcall",
      "rollcall-traces-none",
      "rollcall-traces-some",
      "rollcall-traces-all",
    ],
  },
  {
    name: "list-grpc",
    title: "ListUsers(100), gRPC over h2c",
    contestants: ["bare-http2", ...GRPC],
    call: "listUsers",
    request: (requests) => requests.listUsers(),
  },
  {
    name: "upload",
    title: "Upload, chunks of 64 KiB, one stream",
    unit: ["MB", "MB"],
    contestants: ["bare-http2", "bare-http2-sha256", ...STREAMING],
    // Every server has to hash an upload, since the contract's answer has the checksum.
    limit: "bare-http2-sha256",
    call: "clientStream",
    inFlight: [1, 1],
    trialCalls: 4,
    request: (requests) => requests.clientStream(),
    unitsOf: ({ calls }) => (calls * UPLOAD_BYTES) / 1e6,
  },
  {
    name: "server-stream",
    title: "Server streams, 8 at once",
    unit: ["messages", "message"],
    contestants: ["bare-http2", ...STREAMING],
    call: "serverStream",
    rollcallProgram: "rollcall-streams.ts",
    inFlight: [1, 8],
    request: (requests) => requests.serverStream(),
    unitsOf: ({ dataBytes }) => (dataBytes / SERVER_STREAM_BYTES) * STREAM_MESSAGES,
  },
  {
    name: "bidi",
    title: "Bidirectional stream, messages pipelined",
    unit: ["messages", "message"],
    contestants: ["bare-http2", ...STREAMING],
    call: "bidirectionalStream",
    inFlight: [1, 1],
    request: (requests) => requests.bidirectionalStream(),
    unitsOf: ({ dataBytes }) => dataBytes / CHAT_REPLY_BYTES,
  },
];

/** The same, as workloads. */
export const rateWorkloads = rateOptions.map(createRateWorkload);

/**
 * Returns the bytes of a whole server stream. A stream that is cut off by the round's end counts by its share of them.
 */
function serverStreamBytes(): number {
  let bytes = 0;
  for (let sequence = 0; sequence < STREAM_MESSAGES; sequence++) {
    const dataBytes = `Result ${sequence} for query: x`.length;
    const sequenceBytes = sequence === 0 ? 0 : sequence < 128 ? 2 : 3;
    bytes += 5 + 2 + dataBytes + sequenceBytes;
  }
  return bytes;
}
