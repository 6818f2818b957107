import { createHash } from "node:crypto";
import { createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { createFetchTransport } from "@rollcall/client";
import { StreamService } from "@rollcall/gen/stream/v1/stream";
import { heldBytes } from "@rollcall/testing/memory";
import { startServer } from "@rollcall/testing/start-server";
import { expect } from "vitest";

/** Each way to send an upload, by its name. */
export const uploadTransports: readonly [string, (baseUrl: string) => Transport][] = [
  ["HTTP/1.1", (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "1.1" })],
  ["HTTP/2", (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "2" })],
  ["a WebSocket", (baseUrl) => createFetchTransport({ baseUrl })],
];

/**
 * Uploads that many bytes, with client and server in this process, and returns the
 * what both hold of them when three quarters have gone, in bytes. To look takes two collections, so it is done once.
 */
export async function heldDuringUpload(
  createTransport: (baseUrl: string) => Transport,
  totalBytes: number,
): Promise<number> {
  await using server = await startServer();
  const streams = createClient(StreamService, createTransport(server.url));
  const chunkBytes = 64 * 1024;
  const hash = createHash("sha256");
  let held = Number.NaN;
  const before = heldBytes();
  const chunks = (async function* () {
    for (let sent = 0; sent < totalBytes; sent += chunkBytes) {
      // A chunk of its own each, so that one who keeps them is seen.
      const chunk = new Uint8Array(chunkBytes).fill(sent / chunkBytes);
      hash.update(chunk);
      if (sent === (totalBytes * 3) / 4) held = heldBytes() - before;
      yield { chunk };
    }
  })();
  const receipt = await streams.clientStream(chunks, { headers: await server.auth() });
  expect(receipt).toMatchObject({ totalBytes: BigInt(totalBytes), checksum: hash.digest("hex") });
  return held;
}
