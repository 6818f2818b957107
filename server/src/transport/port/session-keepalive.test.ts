import { once } from "node:events";
import http2, { type ServerHttp2Session } from "node:http2";
import type { AddressInfo } from "node:net";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { keepSessionAlive } from "./session-keepalive.ts";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

/** Closes ten connections. Resolves with how many of the server's sessions are then in memory. */
async function keptSessions(prepare: (session: ServerHttp2Session) => void): Promise<number> {
  const sessions: WeakRef<ServerHttp2Session>[] = [];
  let closed = 0;
  const server = http2.createServer();
  server.on("session", (session) => {
    sessions.push(new WeakRef(session));
    session.once("close", () => closed++);
    prepare(session);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  for (let i = 0; i < 10; i++) {
    const client = http2.connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    await once(client, "remoteSettings");
    client.close();
    await once(client, "close");
  }
  await expect.poll(() => closed).toBe(10);
  server.close();
  // Memory that one turn has used is freed in the next.
  for (let i = 0; i < 3; i++) {
    await new Promise((resolve) => setImmediate(resolve));
    collectGarbage();
  }
  return sessions.filter((session) => session.deref()).length;
}

test("a closed connection can be garbage-collected", async () => {
  expect(await keptSessions((session) => keepSessionAlive(session, 600_000, () => 0))).toBeLessThan(3);
});

test("control: Node.js's own timeout of a session keeps it alive", async () => {
  expect(await keptSessions((session) => session.setTimeout(600_000))).toBeGreaterThan(7);
});
