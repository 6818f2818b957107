import { createHash } from "node:crypto";
import { heldBytes } from "@rollcall/testing/memory";
import { startServer } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";
import { createRollcall } from "../src/node/index.ts";

const CHUNK_BYTES = 65_536;
const MIB = 1024 ** 2;

test("32 MiB go up while both sides hold little of them", async () => {
  await using server = await startServer();
  await using client = createRollcall({ baseUrl: server.url, token: await server.token() });
  const totalBytes = 32 * MIB;
  const hash = createHash("sha256");
  let held = Number.NaN;
  const before = heldBytes();
  async function* source() {
    for (let sent = 0; sent < totalBytes; sent += CHUNK_BYTES) {
      // No two chunks are the same.
      const chunk = Buffer.alloc(CHUNK_BYTES);
      chunk.writeDoubleLE(sent);
      hash.update(chunk);
      yield chunk;
      if (sent === (totalBytes * 3) / 4) held = heldBytes() - before;
    }
  }
  expect(await client.streams.upload(source())).toEqual({ totalBytes, checksum: hash.digest("hex") });
  expect(held).toBeLessThan(totalBytes / 4);
  // The control: keeping the chunks would be noticed.
  const beforeControl = heldBytes();
  const kept = Array.from({ length: 32 }, () => Buffer.alloc(MIB));
  expect(heldBytes() - beforeControl).toBeGreaterThan(kept.length * MIB - MIB);
});
