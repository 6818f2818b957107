import { once } from "node:events";
import { Agent, request } from "node:http";
import http2 from "node:http2";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { TestServer } from "@rollcall/testing/start-server";

/** Every kind of request that is refused before its body is read, by its HTTP status. */
export const REFUSALS = [
  { status: 401, method: "POST", path: "/user.v1.UserService/GetUser", headers: {} },
  { status: 403, method: "POST", path: "/user.v1.UserService/CreateUser", headers: { authorization: "read" } },
  { status: 404, method: "POST", path: "/user.v1.UserService/Nope", headers: {} },
  { status: 405, method: "PUT", path: "/user.v1.UserService/CreateUser", headers: {} },
  { status: 415, method: "POST", path: "/user.v1.UserService/GetUser", headers: { "content-type": "text/plain" } },
] as const;

export type Refusal = (typeof REFUSALS)[number];

/** Opens one connection that makes calls one after the other, each answered before the next. */
export async function openRefused(server: TestServer, refusal: Refusal, httpVersion: "1.1" | "2" = "1.1") {
  const auth = "authorization" in refusal.headers ? await server.auth({ scopes: ["users:read"] }) : {};
  const headers = { "content-type": "application/json", ...refusal.headers, ...auth };
  const { call, close, connections } = (httpVersion === "2" ? overHttp2 : overHttp1)(server.url, refusal, headers);
  return {
    /** Returns the number of connections that were used. */
    connections,
    /**
     * Makes this number of calls. Resolves with their processor time in milliseconds, which does not depend on other
     * load.
     */
    async calls(count: number): Promise<number> {
      const before = process.cpuUsage();
      for (let i = 0; i < count; i++) {
        const status = await call();
        if (status !== refusal.status) throw new Error(`status ${status}`);
      }
      const { user, system } = process.cpuUsage(before);
      return (user + system) / 1_000;
    },
    close,
  };
}

const BODY = '{"id":"x"}';

function overHttp1(url: string, { method, path }: Refusal, headers: Record<string, string>) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const sockets = new Set<unknown>();
  const call = () =>
    new Promise<number | undefined>((resolve, reject) => {
      const outgoing = request(url + path, { method, agent, headers: { ...headers, "content-length": BODY.length } });
      outgoing.on("socket", (socket) => sockets.add(socket));
      outgoing.on("error", reject);
      outgoing.on("response", (response) => response.resume().on("end", () => resolve(response.statusCode)));
      // Only the header is refused; its body comes later.
      outgoing.flushHeaders();
      outgoing.end(BODY);
    });
  return { call, connections: () => sockets.size, close: () => agent.destroy() };
}

function overHttp2(url: string, { method, path }: Refusal, headers: Record<string, string>) {
  const session = http2.connect(url);
  const call = async (): Promise<number> => {
    const stream = session.request({ ":method": method, ":path": path, ...headers });
    const closed = once(stream, "close");
    // The body never ends, but the answer does.
    stream.write(BODY);
    const [fields] = await once(stream.resume(), "response");
    await closed;
    return fields[":status"];
  };
  return { call, connections: () => 1, close: () => session.close() };
}

/** Returns the number of timers in this process, including the server's. */
export function timers(): number {
  return process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
}

/** Returns the live bytes of this process's heap. */
export function liveBytes(): number {
  setFlagsFromString("--expose_gc");
  const collect = runInNewContext("gc") as () => void;
  collect();
  collect();
  return process.memoryUsage().heapUsed;
}
