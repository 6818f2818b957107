import { type EventEmitter, once } from "node:events";
import http from "node:http";
import http2 from "node:http2";
import type { AddressInfo } from "node:net";

/** Answer, byte for byte. */
export interface RawResponse {
  /** Default 200. */
  status?: number;
  headers: Record<string, string>;
  body: Uint8Array;
  /** Whether HTTP stays open behind the body. Default false. */
  isEndless?: boolean;
  trailers?: Record<string, string>;
}

/** Starts a server over HTTP/1.1 and one over HTTP/2 that answer every call with the same bytes. */
export async function startRawServer({ status = 200, headers, body, isEndless = false, trailers }: RawResponse) {
  const plain = http.createServer((request, response) => {
    request.resume().on("end", () => {
      response.writeHead(status, headers).write(body);
      if (!isEndless) response.end();
    });
  });
  const multiplexed = http2.createServer();
  let calls = 0;
  let openAnswers = 0;
  let connections = 0;
  const opened = (answer: EventEmitter) => {
    openAnswers += 1;
    answer.on("close", () => openAnswers--);
  };
  plain.on("request", (_request, response) => {
    calls += 1;
    opened(response);
  });
  plain.on("connection", () => connections++);
  const sessions = new Set<http2.ServerHttp2Session>();
  multiplexed.on("session", (session) => sessions.add(session));
  multiplexed.on("stream", (stream: http2.ServerHttp2Stream) => {
    calls += 1;
    opened(stream);
    stream.on("error", () => {});
    stream.resume().on("end", () => {
      stream.respond({ ":status": status, ...headers }, { waitForTrailers: trailers !== undefined });
      stream.on("wantTrailers", () => stream.sendTrailers(trailers ?? {}));
      if (isEndless) stream.write(body);
      else stream.end(body);
    });
  });
  const url = async (server: http.Server | http2.Http2Server) => {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  };
  return {
    http1: await url(plain),
    http2: await url(multiplexed),
    get calls() {
      return calls;
    },
    /** Number of answers that HTTP has not ended. */
    get openAnswers() {
      return openAnswers;
    },
    /** Number of connections that have been opened to the server over HTTP/1.1. */
    get connections() {
      return connections;
    },
    async [Symbol.asyncDispose]() {
      for (const session of sessions) session.destroy();
      plain.closeAllConnections();
      plain.close();
      multiplexed.close();
    },
  };
}
