import { createHash } from "node:crypto";
import { createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { createFetchTransport } from "@rollcall/client";
import { StreamService } from "@rollcall/gen/stream/v1/stream";
import { heldBytes } from "@rollcall/testing/memory";
import { startServer } from "@rollcall/testing/start-server";
import { expect } from "vitest";

/** Transports for each way to send an upload, by their names. */
export const uploadTransports: readonly [string, (baseUrl: string) => Transport][] = [
  ["HTTP/1.1", (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "1.1" })],
  ["HTTP/2", (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "2" })],
  ["a WebSocket", (baseUrl) => createFetchTransport({ baseUrl })],
];

/**
 * Uploads that many bytes, with client and server in this process. Returns the number of bytes that both hold when
 * three quarters have been sent. The memory is measured only once, because that takes two garbage collections.
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
      // Each chunk is a separate array, so that a side that keeps chunks is noticed.
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
