import { once } from "node:events";
import http2 from "node:http2";
import type { AddressInfo } from "node:net";

/**
 * Starts an HTTP/2 server in front of the real one. It resets the given number of streams with the code as they arrive,
 * and passes on the rest.
 */
export async function startResettingProxy(
  targetUrl: string,
  code: number,
  count: number,
): Promise<AsyncDisposable & { url: string; resetCount: number }> {
  const upstream = http2.connect(targetUrl);
  const server = http2.createServer();
  const sessions = new Set<http2.ServerHttp2Session>();
  server.on("session", (session) => {
    sessions.add(session);
    session.on("close", () => sessions.delete(session));
  });
  const state = { resetCount: 0 };
  server.on("stream", (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => {
    stream.on("error", () => {});
    if (state.resetCount < count) {
      state.resetCount += 1;
      stream.close(code);
      return;
    }
    const { ":authority": _authority, ...forwarded } = headers;
    const request = upstream.request(forwarded);
    request.on("error", () => stream.close());
    let trailers: http2.IncomingHttpHeaders = {};
    request.on("response", (responseHeaders) => {
      stream.respond(responseHeaders, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers(trailers));
      request.on("trailers", (received) => {
        trailers = received;
      });
      request.pipe(stream);
    });
    stream.pipe(request);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get resetCount() {
      return state.resetCount;
    },
    async [Symbol.asyncDispose]() {
      upstream.destroy();
      for (const session of sessions) session.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
