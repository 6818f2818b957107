import { createHash, randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { startProcess } from "@rollcall/testing/start-process";
import { expect, test } from "vitest";
import { createRollcall } from "../src/node/index.ts";

const CHUNK_BYTES = 65_536;
const MIB = 1024 ** 2;

/** Returns the peak memory of a process, in bytes (Linux). */
async function peakMemory(pid: number | undefined): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) * 1_024;
}

test.runIf(process.platform === "linux")("2 GiB go up at constant memory, on both sides", async () => {
  await using server = await startProcess();
  await using client = createRollcall({ baseUrl: server.url, token: server.token });
  const totalBytes = 2 * 1024 ** 3;
  const chunk = randomBytes(CHUNK_BYTES);
  const hash = createHash("sha256");
  let mostMemory = 0;
  async function* source() {
    for (let sent = 0; sent < totalBytes; sent += CHUNK_BYTES) {
      // No two chunks are the same.
      chunk.writeDoubleLE(sent);
      hash.update(chunk);
      yield new Uint8Array(chunk);
      if (sent % (64 * MIB) === 0) mostMemory = Math.max(mostMemory, process.memoryUsage.rss());
    }
  }
  // The first megabytes allocate memory once, which does not count.
  await client.streams.upload(new Blob([new Uint8Array(64 * MIB)]));
  const before = process.memoryUsage.rss();
  const serverBefore = await peakMemory(server.process.pid);
  const receipt = await client.streams.upload(source());
  expect(receipt).toEqual({ totalBytes, checksum: hash.digest("hex") });
  expect(mostMemory - before).toBeLessThan(300 * MIB);
  expect((await peakMemory(server.process.pid)) - serverBefore).toBeLessThan(300 * MIB);
});
