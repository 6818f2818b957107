import { request as httpRequest } from "node:http";
import http2 from "node:http2";
import { request as httpsRequest } from "node:https";
import { buffer } from "node:stream/consumers";
import type { Code } from "@connectrpc/connect";
import { codeToString } from "@connectrpc/connect/protocol-connect";
import { type Connection, testCa } from "../matrix.ts";
import type { TestServer } from "../start-server.ts";

/** Everything that a call sends, byte by byte. */
export interface RawCall {
  /** Path such as `/user.v1.UserService/GetUser`, with the query of a GET. */
  readonly path: string;
  readonly method?: "GET" | "POST";
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
}

/** How a call ended, in any protocol. */
export interface Outcome {
  readonly status: number;
  /** Code as Connect names it: "ok", "invalid_argument". */
  readonly code: string;
  readonly message: string;
  readonly headers: Headers;
  /** Body of the answer, without the envelope or trailers that hold its status. */
  readonly body: Buffer;
  /** Details of the error in Connect's JSON; none in other protocols. */
  readonly details: readonly unknown[];
}

interface Response {
  readonly status: number;
  readonly headers: Headers;
  readonly trailers: Headers;
  readonly body: Buffer;
}

/** Makes a call on a connection of its own, with a token. Reads its outcome as a client of its protocol would. */
export async function rawCall(server: TestServer, connection: Connection, call: RawCall): Promise<Outcome> {
  const headers = { ...(await server.auth()), ...call.headers };
  const send = connection.httpVersion === "2" ? sendHttp2 : sendHttp1;
  return outcomeOf(await send(server.url, { ...call, headers }));
}

function sendHttp1(baseUrl: string, { path, method = "POST", headers, body }: RawCall): Promise<Response> {
  return new Promise((resolve, reject) => {
    const request = baseUrl.startsWith("https") ? httpsRequest : httpRequest;
    const outgoing = request(`${baseUrl}${path}`, { method, headers, agent: false, ca: testCa }, async (incoming) => {
      const received = await buffer(incoming).catch(reject);
      if (!received) return;
      resolve({
        status: incoming.statusCode ?? 0,
        headers: toHeaders(incoming.headers),
        body: received,
        trailers: toHeaders(incoming.trailers),
      });
    });
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

async function sendHttp2(baseUrl: string, { path, method = "POST", headers, body }: RawCall): Promise<Response> {
  const session = http2.connect(baseUrl, { ca: testCa });
  try {
    return await new Promise((resolve, reject) => {
      session.on("error", reject);
      const stream = session.request({ ":method": method, ":path": path, ...headers });
      const chunks: Buffer[] = [];
      let received: http2.IncomingHttpHeaders = {};
      let trailers: http2.IncomingHttpHeaders = {};
      stream.on("response", (fields) => {
        received = fields;
      });
      stream.on("trailers", (fields) => {
        trailers = fields;
      });
      stream.on("data", (chunk: Buffer) => chunks.push(chunk));
      stream.on("error", reject);
      stream.on("close", () => {
        resolve({
          status: Number(received[":status"]),
          headers: toHeaders(received),
          body: Buffer.concat(chunks),
          trailers: toHeaders(trailers),
        });
      });
      stream.end(body);
    });
  } finally {
    session.destroy();
  }
}

function toHeaders(fields: NodeJS.Dict<string | string[]>): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(fields)) {
    if (!name.startsWith(":") && value !== undefined) headers.set(name, String(value));
  }
  return headers;
}

function outcomeOf({ status, headers, trailers, body }: Response): Outcome {
  const type = headers.get("content-type") ?? "";
  const rest = { status, headers };
  // gRPC's Trailers-Only.
  if (headers.has("grpc-status")) return { ...rest, ...grpcStatus(headers), body };
  if (type.startsWith("application/grpc-web")) {
    const { messages, end } = splitStream(body, 0x80);
    return { ...rest, ...grpcStatus(parseTrailers(end)), body: messages };
  }
  if (type.startsWith("application/grpc")) return { ...rest, ...grpcStatus(trailers), body };
  if (type.startsWith("application/connect+")) {
    const { messages, end } = splitStream(body, 0x02);
    return { ...rest, ...connectError(JSON.parse(end.toString()).error), body: messages };
  }
  return { ...rest, ...connectError(status === 200 ? undefined : parseJson(body)), body };
}

/** Returns the messages of a stream, and the bytes in the envelope that ends it. */
function splitStream(body: Buffer, endFlag: number): { messages: Buffer; end: Buffer } {
  for (let start = 0; start < body.length; ) {
    const flags = body.readUInt8(start);
    const next = start + 5 + body.readUInt32BE(start + 1);
    if (flags & endFlag) return { messages: body.subarray(0, start), end: body.subarray(start + 5, next) };
    start = next;
  }
  throw new Error("the stream has no end");
}

function parseTrailers(block: Buffer): Headers {
  const lines = block.toString("latin1").split("\r\n").filter(Boolean);
  return new Headers(lines.map((line) => [line.split(": ", 1).join(), line.slice(line.indexOf(": ") + 2)]));
}

function grpcStatus(trailers: Headers) {
  const status = Number(trailers.get("grpc-status") ?? Number.NaN);
  const code = status === 0 ? "ok" : codeToString(status as Code);
  return { code, message: decodeURIComponent(trailers.get("grpc-message") ?? ""), details: [] };
}

function connectError(error: { code?: string; message?: string; details?: unknown[] } | undefined) {
  if (error === undefined) return { code: "ok", message: "", details: [] };
  return { code: error.code ?? "none", message: error.message ?? "", details: error.details ?? [] };
}

function parseJson(body: Buffer) {
  try {
    return JSON.parse(body.toString());
  } catch {
    return {};
  }
}
