import http, { type Agent } from "node:http";
import type { ClientHttp2Session } from "node:http2";
import { gunzipSync } from "node:zlib";
import type { Call } from "./make-call.ts";

export interface Answer {
  readonly status: unknown;
  readonly type: unknown;
  /** Headers and trailers that belong to the call, wherever they are sent. */
  readonly fields: Record<string, unknown>;
  readonly envelopes: readonly string[];
}

/** A client of one server, with one connection of each HTTP version. */
export interface Client {
  readonly url: string;
  readonly agent: Agent;
  readonly session: ClientHttp2Session;
}

const OWN_FIELDS = [
  ...["grpc-status", "grpc-message", "x-own", "x-own-trailer", "trailer-x-own-trailer", "x-of-error"],
  ...["accept-encoding", "grpc-accept-encoding", "connect-accept-encoding", "allow", "www-authenticate"],
  ...["access-control-allow-origin", "access-control-expose-headers", "vary", "cache-control", "x-request-id"],
  "x-content-type-options",
];

type Fields = Record<string, string | string[] | undefined>;

/** Sends a call and resolves with its answer. */
export function send({ url, agent, session }: Client, call: Call): Promise<Answer> {
  return call.isHttp1 ? sendHttp1(url, agent, call) : sendHttp2(session, call);
}

function sendHttp1(url: string, agent: Agent, { verb, target, headers, pieces }: Call): Promise<Answer> {
  const { hostname, port } = new URL(url);
  // Node does not frame the body of a DELETE by itself.
  const framing = pieces.length > 0 ? { "transfer-encoding": "chunked" } : {};
  const options = { hostname, port, agent, method: verb, path: target, headers: { ...headers, ...framing } };
  return new Promise((resolve, reject) => {
    const request = http.request(options, (response) => {
      const parts: Buffer[] = [];
      response.on("data", (part: Buffer) => parts.push(part));
      response.on("error", reject);
      response.on("end", () =>
        resolve(toAnswer(response.statusCode, response.headers, response.trailers, Buffer.concat(parts))),
      );
    });
    request.on("error", (error) => reject(new Error(`${verb} ${target}: ${error.message}`, { cause: error })));
    for (const piece of pieces) request.write(piece);
    request.end();
  });
}

function sendHttp2(session: ClientHttp2Session, { verb, target, headers, pieces }: Call): Promise<Answer> {
  const stream = session.request({ ":method": verb, ":path": target, te: "trailers", ...headers });
  if (!stream.writableEnded) {
    for (const piece of pieces) stream.write(piece);
    stream.end();
  }
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    let response: Fields & { ":status"?: number } = {};
    let trailers: Fields = {};
    stream.on("response", (fields) => {
      response = fields as typeof response;
    });
    stream.on("trailers", (fields) => {
      trailers = fields as Fields;
    });
    stream.on("data", (part: Buffer) => parts.push(part));
    stream.on("error", reject);
    stream.on("close", () => resolve(toAnswer(response[":status"], response, trailers, Buffer.concat(parts))));
  });
}

function toAnswer(status: unknown, headers: Fields, trailers: Fields, bytes: Buffer): Answer {
  const all: Fields = { ...headers, ...trailers };
  const fields = Object.fromEntries(OWN_FIELDS.filter((name) => all[name] !== undefined).map((n) => [n, all[n]]));
  // With Connect's carrier, the ETag depends on the answer's coding.
  if (all.etag !== undefined) fields.etag = "given";
  const type = String(headers["content-type"]);
  const coding = headers["content-encoding"];
  const envelopes = /grpc|connect/.test(type) ? read(bytes) : [inflate(bytes, coding)];
  return { status, type, fields, envelopes };
}

/** Returns the contents of the envelopes, each after its flags without the flag for compression. */
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

function inflate(bytes: Buffer, coding: unknown): string {
  return (coding === "gzip" ? gunzipSync(bytes) : bytes).toString("latin1");
}
