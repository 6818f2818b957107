import { randomBytes } from "node:crypto";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import { createLogger } from "@rollcall/server";
import { until } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";
import { defaultConnectionLimits } from "../../src/limits.ts";
import { createOnePort } from "../../src/transport/port/one-port.ts";
import { createRefusalCounts } from "../../src/transport/refusals.ts";

// Valid calls were once refused as if the bytes after their upgrade had been lost or changed. A WebSocket unmasks bytes
// in place, so it must be their only owner. Node's parser, however, reads into a buffer that all connections share.

const PLAIN = "GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";
const UPGRADE = "GET /chat HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";

/** Bytes of a connection after its upgrade. */
interface Upgraded {
  readonly head: Buffer;
  readonly chunks: Buffer[];
}

async function startUpgrading() {
  const port = createOnePort((_, response) => response.end("ok"), {
    limits: defaultConnectionLimits,
    takeStream: () => false,
    takeRequest: () => false,
    closeGraceMs: 0,
    closeTimeoutMs: 1_000,
    refusals: createRefusalCounts(),
    logger: createLogger("silent", { write() {} }),
  });
  const upgraded = new Map<string, Upgraded>();
  port.server.on("upgrade", ({ headers }: IncomingMessage, socket: Socket, head: Buffer) => {
    const chunks: Buffer[] = [];
    upgraded.set(String(headers["x-id"]), { head, chunks });
    socket.on("error", () => {}).on("data", (chunk: Buffer) => chunks.push(chunk));
  });
  port.server.listen(0, "127.0.0.1");
  await once(port.server, "listening");
  const sockets: Socket[] = [];
  return {
    upgraded,
    open() {
      const socket = connect({ port: (port.server.address() as AddressInfo).port, host: "127.0.0.1", noDelay: true });
      sockets.push(socket.on("error", () => {}));
      socket.resume();
      return socket;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => port.server.close(resolve));
    },
  };
}

/**
 * Positions where the bytes of an upgrade and its successors are cut: everywhere near the request's end, and nowhere.
 */
const cuts = [0, ...Array.from({ length: 16 }, (_, index) => index - 5)];

test.each([
  ["as the connection's first request", ""],
  ["behind another request", PLAIN],
])("what follows an upgrade, %s, arrives once, unchanged and in memory of its own", async (_, before) => {
  await using server = await startUpgrading();
  const sent = new Map<string, Buffer>();
  for (const [index, cut] of [...cuts, ...cuts, ...cuts].entries()) {
    const id = `${index}`;
    const rest = randomBytes(40 + index * 331);
    sent.set(id, rest);
    const request = UPGRADE.replace("\r\n\r\n", `\r\nx-id: ${id}\r\n\r\n`);
    const bytes = Buffer.concat([Buffer.from(request), rest]);
    const at = index === 0 ? 0 : request.length + cut;
    const socket = server.open();
    if (before) {
      socket.write(before);
      await once(socket, "data");
    }
    socket.write(bytes.subarray(0, at));
    // These requests are read in the same turn of the loop, and parsed into the same buffer.
    const broken = Array.from({ length: 3 }, () => server.open());
    for (const each of broken) each.write(Buffer.concat([Buffer.from("GET / HTTP/1.1\r\n"), randomBytes(30_000)]));
    if (index % 3 === 1) await turn();
    if (index % 3 === 2 && cut >= 0) await until(() => server.upgraded.has(id));
    socket.write(bytes.subarray(at));
    for (const each of broken) each.write(`${PLAIN}\0\0`);
  }
  const arrived = (id: string) => {
    const { head, chunks } = server.upgraded.get(id) ?? { head: Buffer.alloc(0), chunks: [] };
    return Buffer.concat([head, ...chunks]);
  };
  for (const [id, bytes] of sent) {
    await until(() => arrived(id).length >= bytes.length);
    expect(arrived(id).equals(bytes), `of connection ${id}`).toBe(true);
  }
  const all = [...server.upgraded.values()];
  const buffers = all.flatMap(({ head, chunks }) => [head, ...chunks]);
  // Some bytes came with the upgrade, some after it, and some in both ways.
  expect(all.filter(({ head }) => head.length > 0).length).toBeGreaterThan(5);
  expect(all.filter(({ chunks }) => chunks.length > 0).length).toBeGreaterThan(5);
  expect(all.filter(({ head, chunks }) => head.length > 0 && chunks.length > 0).length).toBeGreaterThan(2);
  // Unmasking writes to the buffers. If two shared a byte, it would be changed twice.
  for (const buffer of buffers) for (let i = 0; i < buffer.length; i++) buffer[i] = (buffer[i] ?? 0) ^ 0xff;
  for (const [id, bytes] of sent) expect(arrived(id).equals(bytes.map((byte) => byte ^ 0xff))).toBe(true);
});
