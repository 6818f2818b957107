/**
 * Both carriers answer alike, whatever a client sends: calls made up at random, valid and not,
 * whose bodies are cut anywhere. `FUZZ_SEED=7 FUZZ_CALLS=20000 pnpm vitest run …` looks further.
 */
import http2, { type ClientHttp2Session } from "node:http2";
import { gunzipSync, gzipSync } from "node:zlib";
import { create, toBinary } from "@bufbuild/protobuf";
import { StringValueSchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { encodeEnvelope } from "@connectrpc/connect/protocol";
import { type ProbeHandlers, withProbe } from "@rollcall/testing/probe-service";
import { createRandom, type Random } from "@rollcall/testing/random";
import { startServer } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";

const seed = Number(process.env.FUZZ_SEED ?? 1);
const calls = Number(process.env.FUZZ_CALLS ?? 300);

interface Call {
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly pieces: readonly Buffer[];
}

const contentTypes = [
  "application/grpc",
  "application/grpc+json",
  "application/grpc-web+proto",
  "application/grpc-web+json",
  "application/connect+proto",
  "application/connect+json",
];
const values = ["", "a", "x".repeat(500), "long ".repeat(400), "y".repeat(40_000), "fail", "trailer", "header"];

function makeCall(random: Random): Call {
  const contentType = random.pick(contentTypes);
  const isConnect = contentType.includes("connect");
  const method = random.pick(["Unary", "ServerStream", "ClientStream", "BidiStream"]);
  const isBare = isConnect && method === "Unary";
  const prefix = isBare ? "" : isConnect ? "connect-" : "grpc-";
  const headers: Record<string, string> = {
    "content-type": isBare ? contentType.replace("connect+", "") : contentType,
  };
  const isCoded = random.isOnce(2);
  if (isCoded) headers[`${prefix}${isConnect ? "content-" : ""}encoding`] = "gzip";
  if (random.isOnce(2)) headers[`${prefix}accept-encoding`] = random.pick(["gzip", "br;q=0", "identity", "unknown"]);
  if (isConnect && random.isOnce(2)) headers["connect-protocol-version"] = "1";
  if (random.isOnce(12))
    headers[isConnect ? "connect-timeout-ms" : "grpc-timeout"] = random.pick(["1x", "-5", "99999"]);
  const parts = Array.from({ length: method === "Unary" ? 1 : random.pick([0, 1, 1, 1, 2, 3, 6]) }, () =>
    makeEnvelope(random, { isJson: contentType.endsWith("json"), isCoded, isUnary: method === "Unary" }),
  );
  // Stock reports it ahead of the messages that came in the same piece, so it comes first.
  if (random.isOnce(30)) parts.unshift(Buffer.from([0, 0x7f, 0xff, 0xff, 0xff]));
  let body = Buffer.concat(isBare ? parts.map((part) => part.subarray(5)) : parts);
  if (random.isOnce(8)) body = body.subarray(0, random.below(body.length + 1));
  const pieces: Buffer[] = [];
  while (body.length > 0) {
    const length = Math.min(body.length, 1 + random.below(random.pick([4, 30, 3_000, 100_000])));
    pieces.push(body.subarray(0, length));
    body = body.subarray(length);
    // A client that cuts everything into single bytes would be cut off itself.
    if (pieces.length > 40) break;
  }
  if (body.length > 0) pieces.push(body);
  return { path: `/probe.v1.ProbeService/${method}`, headers, pieces };
}

interface EnvelopeOptions {
  readonly isJson: boolean;
  readonly isCoded: boolean;
  readonly isUnary: boolean;
}

function makeEnvelope(random: Random, { isJson, isCoded, isUnary }: EnvelopeOptions): Buffer {
  const value = random.pick(values);
  let bytes = isJson
    ? Buffer.from(random.isOnce(20) ? '{"' : JSON.stringify(value))
    : Buffer.from(toBinary(StringValueSchema, create(StringValueSchema, { value })));
  if (random.isOnce(20)) bytes = Buffer.from([0x0a, 0xff, 0xff, 0x03]);
  if (!isUnary && random.isOnce(30)) return Buffer.from(encodeEnvelope(random.pick([2, 3, 4, 0x80]), bytes));
  if (random.isOnce(isCoded ? 2 : 30)) {
    return Buffer.from(encodeEnvelope(1, random.isOnce(15) ? bytes : gzipSync(bytes)));
  }
  return Buffer.from(encodeEnvelope(0, bytes));
}

interface Answer {
  readonly status: unknown;
  readonly type: unknown;
  /** Headers and trailers of the call's own, wherever they stand. */
  readonly fields: Record<string, unknown>;
  readonly envelopes: readonly string[];
}

const OWN_FIELDS = ["grpc-status", "grpc-message", "x-own", "x-own-trailer", "trailer-x-own-trailer", "x-of-error"];

function send(session: ClientHttp2Session, { path, headers, pieces }: Call, authorization: string): Promise<Answer> {
  const stream = session.request({ ":method": "POST", ":path": path, te: "trailers", authorization, ...headers });
  for (const piece of pieces) stream.write(piece);
  stream.end();
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    let response: http2.IncomingHttpHeaders = {};
    let trailers: http2.IncomingHttpHeaders = {};
    stream.on("response", (fields) => {
      response = fields;
    });
    stream.on("trailers", (fields) => {
      trailers = fields;
    });
    stream.on("data", (part: Buffer) => parts.push(part));
    stream.on("error", reject);
    stream.on("close", () => {
      const all: Record<string, unknown> = { ...response, ...trailers };
      const fields = Object.fromEntries(OWN_FIELDS.filter((name) => all[name] !== undefined).map((n) => [n, all[n]]));
      const type = String(response["content-type"]);
      const bytes = Buffer.concat(parts);
      const envelopes = /grpc|connect/.test(type) ? read(bytes) : [inflate(bytes, response["content-encoding"])];
      resolve({ status: response[":status"], type, fields, envelopes });
    });
  });
}

/** Returns the contents of the envelopes, each behind its flags except the one for compression. */
function read(body: Buffer): string[] {
  const envelopes: string[] = [];
  let rest = body;
  while (rest.length > 0) {
    const flags = rest[0] ?? 0;
    const end = 5 + rest.readUInt32BE(1);
    const bytes = rest.subarray(5, end);
    envelopes.push(`${flags & ~1} ${inflate(bytes, flags & 1 ? "gzip" : undefined)}`);
    rest = rest.subarray(end);
  }
  return envelopes;
}

function inflate(bytes: Buffer, coding: string | undefined): string {
  return (coding === "gzip" ? gunzipSync(bytes) : bytes).toString("latin1");
}

function heed(
  value: string,
  { responseHeader, responseTrailer }: { responseHeader: Headers; responseTrailer: Headers },
) {
  if (value === "header") responseHeader.set("x-own", "1");
  if (value === "trailer") responseTrailer.set("x-own-trailer", "1");
  if (value === "fail") throw new ConnectError("as asked, ü", Code.Aborted, { "x-of-error": "1" });
}

const handlers: ProbeHandlers = {
  unary({ value }, context) {
    heed(value, context);
    return { value: value.repeat(2) };
  },
  async *serverStream({ value }, context) {
    heed(value, context);
    yield { value };
    yield { value: `${value}${value}` };
    if (value === "a") throw new ConnectError("late", Code.DataLoss);
  },
  async clientStream(requests, context) {
    const lengths: number[] = [];
    for await (const { value } of requests) {
      heed(value, context);
      lengths.push(value.length);
    }
    return { value: lengths.join() };
  },
  async *bidiStream(requests, context) {
    for await (const { value } of requests) {
      heed(value, context);
      yield { value };
    }
  },
};

test(`calls made up with seed ${seed} have the same answers by both carriers`, { timeout: 120_000 }, async () => {
  const random = createRandom(seed);
  await using direct = await startServer({ ...withProbe(handlers), rpcEngine: "direct", maxMessageBytes: 100_000 });
  await using stock = await startServer({ ...withProbe(handlers), rpcEngine: "stock", maxMessageBytes: 100_000 });
  const [one, other] = [http2.connect(direct.url), http2.connect(stock.url)];
  const [{ authorization: ofOne }, { authorization: ofOther }] = [await direct.auth(), await stock.auth()];
  for (let i = 0; i < calls; i++) {
    const call = makeCall(random);
    const [answer, expected] = await Promise.all([send(one, call, ofOne), send(other, call, ofOther)]);
    const shown = { ...call, pieces: call.pieces.map((piece) => piece.subarray(0, 60).toString("latin1")) };
    expect(answer, `call ${i}: ${JSON.stringify(shown)}`).toEqual(expected);
  }
  one.destroy();
  other.destroy();
});
