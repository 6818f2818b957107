import { EventEmitter, once } from "node:events";
import http2 from "node:http2";
import type { AddressInfo } from "node:net";
import type { ConnectRouter } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { StreamService } from "@rollcall/gen/stream/v1/stream";
import { UserService } from "@rollcall/gen/user/v1/user";

/** Starts a real HTTP/2 server of the contract whose sessions and answers the test controls. */
export async function startBareServer(options: { port?: number; maxConcurrentStreams?: number } = {}) {
  const gate = new EventEmitter();
  let calls = 0;
  let waiting = 0;
  let pings = 0;
  const routes = (router: ConnectRouter) => {
    router.service(UserService, {
      /** Answers immediately, except for the id "wait", which waits for the gate. */
      async getUser({ id }) {
        calls += 1;
        if (id === "wait") {
          waiting += 1;
          await once(gate, "open");
          waiting -= 1;
        }
        return { user: { id } };
      },
      async createUser({ email }) {
        calls += 1;
        return { user: { email } };
      },
    });
    router.service(StreamService, {});
  };
  const { maxConcurrentStreams } = options;
  const server = http2.createServer(
    maxConcurrentStreams === undefined ? {} : { settings: { maxConcurrentStreams } },
    connectNodeAdapter({ routes }),
  );
  const sessions = new Set<http2.ServerHttp2Session>();
  /** Number of streams that each session has had. */
  const streams = new Map<http2.ServerHttp2Session, number>();
  server.on("session", (session) => {
    sessions.add(session);
    session.on("stream", () => streams.set(session, (streams.get(session) ?? 0) + 1));
    session.on("ping", () => pings++);
    session.on("error", () => {}).on("close", () => sessions.delete(session));
  });
  server.listen(options.port ?? 0, "127.0.0.1");
  await once(server, "listening");
  gate.setMaxListeners(0);
  return {
    sessions,
    streams,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get calls() {
      return calls;
    },
    /** Number of PINGs that have arrived. Node answers them. */
    get pings() {
      return pings;
    },
    get waiting() {
      return waiting;
    },
    openGate: () => gate.emit("open"),
    async [Symbol.asyncDispose]() {
      for (const session of sessions) session.destroy();
      server.close();
    },
  };
}
