import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect, type Server } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { defaultConnectionLimits } from "../../limits.ts";
import { createLogger } from "../../telemetry/logger.ts";
import { createRefusalCounts } from "../refusals.ts";
import { listenForCalls } from "./listen.ts";
import { createOnePort } from "./one-port.ts";

/** Address of IPv4 loopback. */
const HOST = "127.0.0.1";

async function listening(server: Server, port: number): Promise<number> {
  onTestFinished(() => new Promise<void>((resolve) => server.close(() => resolve())));
  server.listen(port, HOST);
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

function createPort() {
  const port = createOnePort((_, response) => response.end("ok"), {
    limits: defaultConnectionLimits,
    takeStream: () => false,
    takeRequest: () => false,
    closeGraceMs: 0,
    closeTimeoutMs: 1_000,
    refusals: createRefusalCounts(),
    logger: createLogger("silent", { write() {} }),
  });
  onTestFinished(() => new Promise<void>((resolve) => void port.server.close(() => resolve())));
  return port;
}

/** Listens on localhost. Another program takes each of the first ports on IPv4 just before. */
async function listenAfterOthers(others: number, port = 0) {
  const onePort = createPort();
  const taken: number[] = [];
  const actualPort = await listenForCalls(onePort, { host: "localhost", port }, async (address) => {
    if (taken.length < others) taken.push(await listening(createServer(), address.port));
    onePort.server.listen(address);
    await once(onePort.server, "listening");
  });
  return { port: actualPort, taken };
}

async function opens(port: number, host: string): Promise<boolean> {
  const socket = connect(port, host);
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

test("any free port is one that is free in both loopback families", async () => {
  const { port, taken } = await listenAfterOthers(3);
  expect(taken).toHaveLength(3);
  expect(taken).not.toContain(port);
  expect(await opens(port, HOST)).toBe(true);
  expect(await opens(port, "::1")).toBe(true);
  // The ports that were tried are given back.
  for (const tried of taken) expect(await opens(tried, "::1")).toBe(false);
});

test("ports that are always in use end the search", async () => {
  await expect(listenAfterOthers(1_000)).rejects.toThrow("the port is in use");
});

test("a port that was asked for is not replaced by another", async () => {
  const { port } = await listenAfterOthers(0);
  await expect(listenAfterOthers(0, port)).rejects.toThrow(`can't listen on ${HOST}:${port}: the port is in use`);
});
