import { once } from "node:events";
import http from "node:http";
import http2 from "node:http2";
import net from "node:net";
import type { Code } from "@connectrpc/connect";
import { codeFromString } from "@connectrpc/connect/protocol-connect";
import type { TestServer } from "./start-server.ts";

/** A protocol, with its body and deadline written by hand. */
export interface HandProtocol {
  readonly contentType: string;
  /** Returns the headers of a deadline. */
  timeout(ms: number): Record<string, string>;
}

const connectTimeout = (ms: number) => ({ "connect-timeout-ms": String(ms) });
const grpcTimeout = (ms: number) => ({ "grpc-timeout": `${ms}m` });

export const connectJson: HandProtocol = { contentType: "application/json", timeout: connectTimeout };
export const connectStream: HandProtocol = { contentType: "application/connect+json", timeout: connectTimeout };
export const grpc: HandProtocol = { contentType: "application/grpc+proto", timeout: grpcTimeout };
export const grpcWeb: HandProtocol = { contentType: "application/grpc-web+proto", timeout: grpcTimeout };

export interface Answer {
  /** Status of HTTP. */
  readonly status: number;
  readonly headers: Record<string, unknown>;
  /** Body and trailers as text. */
  readonly text: string;
  /** Code that the protocol reports, wherever it is; undefined for success. */
  readonly code: Code | undefined;
}

/** A POST whose body stays open for as long as the test likes. */
export interface OpenRequest {
  /** Rejects if the connection or the stream breaks first. */
  readonly answer: Promise<Answer>;
  write(bytes: string | Uint8Array): void;
  end(bytes?: string | Uint8Array): void;
  /** Leaves: with this reset code over HTTP/2, else by FIN or RST. */
  leave(how: number | "FIN" | "RST"): void;
}

/** Begins a POST with only its headers, over a connection of its own. */
export async function openRequest(
  server: Pick<TestServer, "url">,
  httpVersion: "1.1" | "2",
  path: string,
  headers: Record<string, string>,
): Promise<OpenRequest> {
  return httpVersion === "2" ? openHttp2(server.url, path, headers) : openHttp1(server.url, path, headers);
}

async function openHttp1(url: string, path: string, headers: Record<string, string>): Promise<OpenRequest> {
  const request = http.request(url + path, { method: "POST", headers, agent: false });
  const answer = once(request, "response").then(async ([response]: http.IncomingMessage[]) => {
    if (!response) throw new Error("no response");
    const body = await textOf(response);
    return toAnswer(response.statusCode ?? 0, response.headers, body, response.trailers);
  });
  answer.catch(() => {});
  request.on("error", () => {});
  request.flushHeaders();
  return {
    answer,
    write: (bytes) => request.write(bytes),
    end: (bytes) => request.end(bytes),
    leave(how) {
      if (how === "RST") request.socket?.resetAndDestroy();
      else request.socket?.destroy();
    },
  };
}

async function openHttp2(url: string, path: string, headers: Record<string, string>): Promise<OpenRequest> {
  const { hostname, port } = new URL(url);
  const socket = net.connect(Number(port), hostname);
  const session = http2.connect(url, { createConnection: () => socket });
  session.on("error", () => {});
  const stream = session.request({ ":method": "POST", ":path": path, te: "trailers", ...headers });
  stream.on("error", () => {});
  stream.once("close", () => session.close());
  let trailers: http2.IncomingHttpHeaders = {};
  stream.on("trailers", (fields) => {
    trailers = fields;
  });
  const answer = once(stream, "response").then(async ([fields]: http2.IncomingHttpHeaders[]) => {
    const body = await textOf(stream);
    return toAnswer(Number(fields?.[":status"]), fields ?? {}, body, trailers);
  });
  answer.catch(() => {});
  return {
    answer,
    write: (bytes) => stream.write(bytes),
    end: (bytes) => stream.end(bytes),
    leave(how) {
      if (typeof how === "number") socket.write(resetFrame(stream.id ?? 0, how));
      else if (how === "RST") socket.resetAndDestroy();
      else socket.destroy();
    },
  };
}

/** Makes an RST_STREAM frame (RFC 9113, 6.4). Node's own client would end the body first, and so complete it. */
function resetFrame(streamId: number, code: number): Buffer {
  const frame = Buffer.alloc(13);
  frame.writeUIntBE(4, 0, 3);
  frame.writeUInt8(3, 3);
  frame.writeUInt32BE(streamId, 5);
  frame.writeUInt32BE(code, 9);
  return frame;
}

function textOf(stream: NodeJS.ReadableStream): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    stream.on("data", (chunk: Buffer) => {
      text += chunk.toString("latin1");
    });
    stream.on("end", () => resolve(text));
    stream.on("error", reject);
  });
}

function toAnswer(
  status: number,
  headers: Record<string, unknown>,
  body: string,
  trailers: Record<string, unknown>,
): Answer {
  const text = body + JSON.stringify(trailers);
  const grpcStatus = headers["grpc-status"] ?? trailers["grpc-status"] ?? /grpc-status: (\d+)/.exec(body)?.[1];
  const connectCode = /"code":"(\w+)"/.exec(body)?.[1];
  const code: Code | undefined = grpcStatus
    ? Number(grpcStatus)
    : connectCode
      ? codeFromString(connectCode)
      : undefined;
  return { status, headers, text, code: code || undefined };
}
