import { Agent, request } from "node:http";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { TestServer } from "./harness.ts";

/** Every kind of request that is refused with its body unread, by its HTTP status. */
export const REFUSALS = [
  { status: 401, method: "POST", path: "/user.v1.UserService/GetUser", headers: {} },
  { status: 403, method: "POST", path: "/user.v1.UserService/CreateUser", headers: { authorization: "read" } },
  { status: 404, method: "POST", path: "/user.v1.UserService/Nope", headers: {} },
  { status: 405, method: "PUT", path: "/user.v1.UserService/CreateUser", headers: {} },
  { status: 415, method: "POST", path: "/user.v1.UserService/GetUser", headers: { "content-type": "text/plain" } },
] as const;

export type Refusal = (typeof REFUSALS)[number];

/** One keep-alive connection that makes calls one after the other, each answered before the next. */
export async function openRefused(server: TestServer, { status, method, path, headers }: Refusal) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const auth = "authorization" in headers ? await server.auth({ scopes: ["users:read"] }) : {};
  const sockets = new Set<unknown>();
  const call = () =>
    new Promise<void>((resolve, reject) => {
      const outgoing = request(server.url + path, {
        method,
        agent,
        headers: { "content-type": "application/json", ...headers, ...auth, "content-length": 9 },
      });
      outgoing.on("socket", (socket) => sockets.add(socket));
      outgoing.on("error", reject);
      outgoing.on("response", (response) => {
        if (response.statusCode !== status) reject(new Error(`status ${response.statusCode}`));
        response.resume().on("end", resolve);
      });
      // The header alone is refused; its body comes behind.
      outgoing.flushHeaders();
      outgoing.end('{"id":"x"}'.slice(0, 9));
    });
  return {
    /** How many connections it took. */
    connections: () => sockets.size,
    /** Makes so many calls; resolves with the processor time that they took, in milliseconds: a busy machine is no matter. */
    async calls(count: number): Promise<number> {
      const before = process.cpuUsage();
      for (let i = 0; i < count; i++) await call();
      const { user, system } = process.cpuUsage(before);
      return (user + system) / 1_000;
    },
    close: () => agent.destroy(),
  };
}

/** Timers of this process, the server's among them. */
export function timers(): number {
  return process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
}

/** Live bytes of this process's heap. */
export function liveBytes(): number {
  setFlagsFromString("--expose_gc");
  const collect = runInNewContext("gc") as () => void;
  collect();
  collect();
  return process.memoryUsage().heapUsed;
}
