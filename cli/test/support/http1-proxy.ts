import { once } from "node:events";
import http from "node:http";
import http2 from "node:http2";
import type { AddressInfo } from "node:net";

export interface Http1Proxy extends AsyncDisposable {
  readonly url: string;
}

/** Headers that belong to one connection, or that HTTP/2 does not have. */
const HOP_BY_HOP = new Set(["connection", "keep-alive", "transfer-encoding", "trailer", "te", "host"]);

/**
 * Starts a reverse proxy that speaks HTTP/1.1 to the server, and HTTP/1.1 or HTTP/2 to clients. It passes on the header
 * and body of an answer but no trailers, as such proxies do.
 */
export async function startHttp1Proxy(serverUrl: string, front: "1.1" | "2" = "1.1"): Promise<Http1Proxy> {
  const forward = (
    request: http.IncomingMessage | http2.Http2ServerRequest,
    response: http.ServerResponse | http2.Http2ServerResponse,
  ) => {
    const { method, headers } = request;
    const agent = http.globalAgent;
    const upstream = http.request(new URL(request.url ?? "", serverUrl), { method, headers: endToEnd(headers), agent });
    upstream.on("error", () => response.destroy());
    upstream.on("response", (answer) => {
      response.statusCode = answer.statusCode ?? 502;
      for (const [name, value = ""] of Object.entries(endToEnd(answer.headers))) response.setHeader(name, value);
      answer.pipe(response);
    });
    request.pipe(upstream);
  };
  const server = front === "2" ? http2.createServer(forward) : http.createServer(forward);
  const sockets = new Set<{ destroy(): void }>();
  server.on("connection", (socket) => sockets.add(socket));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

function endToEnd(headers: http.IncomingHttpHeaders): http.OutgoingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !name.startsWith(":") && !HOP_BY_HOP.has(name)));
}
