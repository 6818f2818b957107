import http2 from "node:http2";
import { Code } from "@connectrpc/connect";
import { withProbe } from "@rollcall/testing/probe-service";
import { startServer, type TestServer, until } from "@rollcall/testing/start-server";

export const UNARY = "/probe.v1.ProbeService/Unary";
/** Error that a full server returns. */
export const refused = { code: Code.Unavailable, rawMessage: "server is overloaded" };

export interface FullServer extends AsyncDisposable {
  readonly server: TestServer;
  /** Lets the calls finish that fill the server. */
  release(): void;
}

/** Starts a server whose places for calls and streams are all taken, each by its own connection. */
export async function startFullServer(maxCalls = 2): Promise<FullServer> {
  const released = Promise.withResolvers<void>();
  let running = 0;
  const server = await startServer({
    maxCalls,
    admission: { maxStreams: 1 },
    corsOrigins: ["https://page.example"],
    ...withProbe({
      async unary({ value }) {
        running += 1;
        if (value === "hold") await released.promise;
        return { value };
      },
      async *bidiStream() {
        running += 1;
        await released.promise;
        yield { value: "end" };
      },
    }),
  });
  const { authorization } = await server.auth();
  const hold = (path: string, contentType: string, body: string) => {
    const session = http2.connect(server.url);
    const stream = session.request({ ":method": "POST", ":path": path, "content-type": contentType, authorization });
    stream.on("error", () => {});
    stream.end(body);
    stream.resume().on("close", () => session.close());
  };
  for (let i = 0; i < maxCalls; i++) hold(UNARY, "application/json", '"hold"');
  hold("/probe.v1.ProbeService/BidiStream", "application/connect+json", "");
  await until(() => running === maxCalls + 1);
  return {
    server,
    release: released.resolve,
    async [Symbol.asyncDispose]() {
      released.resolve();
      await server.app.close();
    },
  };
}
