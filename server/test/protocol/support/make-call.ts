import { gzipSync } from "node:zlib";
import { create, toBinary } from "@bufbuild/protobuf";
import { StringValueSchema } from "@bufbuild/protobuf/wkt";
import { encodeEnvelope } from "@connectrpc/connect/protocol";
import type { Random } from "@rollcall/testing/random";

export interface Call {
  readonly isHttp1: boolean;
  readonly verb: string;
  readonly target: string;
  readonly headers: Record<string, string>;
  /** The body, in the pieces that are sent. */
  readonly pieces: readonly Buffer[];
}

export const FRIEND = "https://friend.example";
const SERVICE = "/probe.v1.ProbeService/";
const contentTypes = [
  "application/grpc",
  "application/grpc+json",
  "application/grpc-web+proto",
  "application/grpc-web+json",
  "application/connect+proto",
  "application/connect+json",
];
const values = ["", "a", "x".repeat(500), "long ".repeat(400), "y".repeat(40_000), "fail", "trailer", "header"];
const codings = ["gzip", "X-Gzip", "identity", "gzip, br", "unknown", ""];

/** Makes a random call. Most are valid, with an occasional fault or unusual spelling. */
export function makeCall(random: Random): Call {
  const isHttp1 = random.isOnce(2);
  const call = random.isOnce(5) ? makeGet(random) : makePost(random);
  const headers = { ...call.headers };
  // Connect's carrier does not log a HEAD over HTTP/2.
  const verbs = ["PUT", "DELETE", "PATCH", "GET", "POST", isHttp1 ? "HEAD" : "PUT"];
  if (random.isOnce(6)) headers.origin = random.pick([FRIEND, "https://stranger.example", "null"]);
  if (random.isOnce(20)) headers.authorization = random.pick(["Bearer x", "Basic eDp4", ""]);
  return {
    ...call,
    isHttp1,
    headers,
    verb: random.isOnce(30) ? random.pick(verbs) : call.verb,
    target: random.isOnce(15) ? respell(random, call.target, isHttp1) : call.target,
  };
}

/** Returns another spelling of a target, which may mean the same method. */
function respell(random: Random, target: string, isHttp1: boolean): string {
  const spellings = [
    target.includes("?") ? `${target}&x=1` : `${target}?x=1`,
    target.replace("/Probe", "/Probe").replace("Service/", "Servic%65/"),
    target.replace("Service/", "Servic%/"),
    target.replace("Service/", "service/"),
    `${target}/`,
  ];
  return random.pick(isHttp1 ? [...spellings, `http://example.com${target}`] : spellings);
}

type Made = Omit<Call, "isHttp1">;

function makeGet(random: Random): Made {
  const isJson = random.isOnce(2);
  const query = new URLSearchParams();
  const headers: Record<string, string> = {};
  if (random.isOnce(2)) query.set("connect", random.pick(["v1", "v1", "v2"]));
  const value = random.pick(values).slice(0, 2_000);
  let message = isJson ? Buffer.from(JSON.stringify(value)) : toMessage(value);
  if (random.isOnce(15)) message = Buffer.from([0x0a, 0xff, 0xff, 0x03]);
  const isCoded = random.isOnce(4);
  if (isCoded) message = gzipSync(message);
  if (isCoded || random.isOnce(20)) query.set("compression", random.isOnce(6) ? random.pick(codings) : "gzip");
  const isBase64 = isCoded || !isJson || random.isOnce(3);
  if (isBase64 !== random.isOnce(20)) query.set("base64", "1");
  if (!random.isOnce(20)) query.set("encoding", random.isOnce(15) ? "xml" : isJson ? "json" : "proto");
  let text = message.toString(isBase64 ? random.pick(["base64", "base64url"]) : "utf8");
  if (random.isOnce(12)) text = text.slice(0, random.below(text.length + 1));
  if (!random.isOnce(20)) query.set("message", text);
  if (random.isOnce(2)) headers["accept-encoding"] = random.pick(["gzip", "br;q=0", "identity", "unknown"]);
  if (random.isOnce(15)) headers["content-type"] = random.pick(["application/json", "application/grpc", "x"]);
  if (random.isOnce(15)) headers["connect-timeout-ms"] = random.pick(["1x", "-5", "99999"]);
  const end = random.isOnce(20) ? random.pick(["%", "%ff", "%C3%28", "&message=b", "+"]) : "";
  return { verb: "GET", target: `${SERVICE}Unary?${query}${end}`, headers, pieces: [] };
}

function makePost(random: Random): Made {
  const contentType = random.pick(contentTypes);
  const isConnect = contentType.includes("connect");
  const method = random.pick(["Unary", "ServerStream", "ClientStream", "BidiStream"]);
  const isBare = isConnect && method === "Unary";
  const prefix = isBare ? "" : isConnect ? "connect-" : "grpc-";
  const plainType = isBare ? contentType.replace("connect+", "") : contentType;
  const headers: Record<string, string> = {
    "content-type": random.isOnce(8) ? respellType(random, plainType) : plainType,
  };
  const isCoded = random.isOnce(2);
  const coding = random.isOnce(12) ? random.pick(codings) : "gzip";
  if (isCoded) headers[`${prefix}${isConnect ? "content-" : ""}encoding`] = coding;
  if (random.isOnce(2)) headers[`${prefix}accept-encoding`] = random.pick(["gzip", "br;q=0", "identity", "unknown"]);
  if (isConnect && random.isOnce(2)) headers["connect-protocol-version"] = "1";
  if (random.isOnce(12))
    headers[isConnect ? "connect-timeout-ms" : "grpc-timeout"] = random.pick(["1x", "-5", "99999"]);
  const parts = Array.from({ length: method === "Unary" ? 1 : random.pick([0, 1, 1, 1, 2, 3, 6]) }, () =>
    makeEnvelope(random, { isJson: contentType.endsWith("json"), isCoded, isUnary: method === "Unary" }),
  );
  // Bytes after the message of a unary call: trailers, which gRPC-Web ignores, or a part of an envelope.
  if (method === "Unary" && !isBare && random.isOnce(12)) {
    const trailers = Buffer.from([0x80, 0, 0, 0, 1, 0x20]);
    parts.push(random.pick([contentType.includes("web") ? trailers : (parts[0] ?? trailers), Buffer.from([0, 0, 0])]));
  }
  if (method === "Unary" && contentType.includes("web") && random.isOnce(12)) {
    parts[0] = Buffer.from(encodeEnvelope(0x80, Buffer.from("a: b")));
  }
  // It comes first, since stock Connect reports it before the messages of the same piece.
  if (random.isOnce(30)) parts.unshift(Buffer.from([0, 0x7f, 0xff, 0xff, 0xff]));
  let body = Buffer.concat(isBare ? parts.map((part) => part.subarray(5)) : parts);
  if (random.isOnce(8)) body = body.subarray(0, random.below(body.length + 1));
  const pieces: Buffer[] = [];
  while (body.length > 0) {
    const length = Math.min(body.length, 1 + random.below(random.pick([4, 30, 3_000, 100_000])));
    pieces.push(body.subarray(0, length));
    body = body.subarray(length);
    // A client that sends everything as single bytes would be cut off.
    if (pieces.length > 40) break;
  }
  if (body.length > 0) pieces.push(body);
  return { verb: "POST", target: `${SERVICE}${method}`, headers, pieces };
}

interface EnvelopeOptions {
  readonly isJson: boolean;
  readonly isCoded: boolean;
  readonly isUnary: boolean;
}

function makeEnvelope(random: Random, { isJson, isCoded, isUnary }: EnvelopeOptions): Buffer {
  const value = random.pick(values);
  let bytes = isJson ? Buffer.from(random.isOnce(20) ? '{"' : JSON.stringify(value)) : toMessage(value);
  if (random.isOnce(20)) bytes = Buffer.from([0x0a, 0xff, 0xff, 0x03]);
  if (!isUnary && random.isOnce(30)) return Buffer.from(encodeEnvelope(random.pick([2, 3, 4, 0x80]), bytes));
  if (random.isOnce(isCoded ? 2 : 30)) {
    return Buffer.from(encodeEnvelope(1, random.isOnce(15) ? bytes : gzipSync(bytes)));
  }
  return Buffer.from(encodeEnvelope(0, bytes));
}

function toMessage(value: string): Buffer {
  return Buffer.from(toBinary(StringValueSchema, create(StringValueSchema, { value })));
}

/** Returns a content type that may mean the same media type. */
function respellType(random: Random, type: string): string {
  return random.pick([
    `${type}; charset=utf-8`,
    `${type};charset="UTF-8"`,
    `${type};  x=y`,
    `${type}; charset=latin1`,
    `${type};`,
    type.toUpperCase(),
    `${type}, ${type}`,
    type.replace("json", "jsonp").replace("proto", "xml"),
    "application/grpc-web-text",
    "text/plain",
    "nonsense",
    "",
  ]);
}
