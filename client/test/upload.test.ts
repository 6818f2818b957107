import { createHash, randomBytes } from "node:crypto";
import { mkdtempDisposable, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { Code } from "@connectrpc/connect";
import { startServer, until } from "@rollcall/testing/start-server";
import { startTcpProxy } from "@rollcall/testing/tcp-proxy";
import { expect, test } from "vitest";
import {
  ChecksumMismatchError,
  createRollcall as createBrowserRollcall,
  type Rollcall,
  type UploadProgress,
} from "../src/index.ts";
import { createRollcall } from "../src/node/index.ts";
import { checkEachForLeaks, watchForLeaks } from "./support/leaks.ts";

checkEachForLeaks();

const CHUNK_BYTES = 65_536;
const MIB = 1024 ** 2;

/** Creates an endless source of chunks that shows whether its reader has released it. */
function endlessSource() {
  const state = { isReleased: false };
  async function* read() {
    try {
      for (;;) yield new Uint8Array(CHUNK_BYTES);
    } finally {
      state.isReleased = true;
    }
  }
  return Object.assign(state, { chunks: read() });
}

test("a file goes up by its path, in 64 KiB chunks, with progress", async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), "rollcall-upload-"));
  const path = join(folder.path, "file");
  const bytes = randomBytes(1_000_000);
  await writeFile(path, bytes);
  await using server = await startServer();
  const sizes: number[] = [];
  await using client = createRollcall({ baseUrl: server.url, token: await server.token() });
  // The connection stays open, with the timers that both sides have for it.
  await client.streams.upload(new Blob(["the first"]));
  const leaks = watchForLeaks();
  const progress: UploadProgress[] = [];
  const receipt = await client.streams.upload(path, { onProgress: (step) => progress.push(step) });
  expect(receipt).toEqual({ totalBytes: 1_000_000, checksum: createHash("sha256").update(bytes).digest("hex") });
  progress.reduce((before, { sentBytes }) => {
    sizes.push(sentBytes - before);
    return sentBytes;
  }, 0);
  const full = Math.floor(1_000_000 / CHUNK_BYTES);
  expect(sizes).toEqual([...Array(full).fill(CHUNK_BYTES), 1_000_000 % CHUNK_BYTES]);
  expect(progress.at(-1)).toEqual({ sentBytes: 1_000_000, totalBytes: 1_000_000 });
  await leaks.assertNone();
  await expect(client.streams.upload(join(folder.path, "missing"))).rejects.toMatchObject({ code: "ENOENT" });
});

test("sources of any grain give the same: one byte a piece, large pieces, streams, nothing", async () => {
  await using server = await startServer();
  await using client = createRollcall({ baseUrl: server.url, token: await server.token() });
  const bytes = randomBytes(3 * CHUNK_BYTES + 17);
  const checksum = createHash("sha256").update(bytes).digest("hex");
  const pieces = (size: number) => {
    async function* source() {
      for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size);
    }
    return source();
  };
  for (const size of [97, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 10 * CHUNK_BYTES]) {
    expect(await client.streams.upload(pieces(size))).toEqual({ totalBytes: bytes.length, checksum });
  }
  expect(await client.streams.upload(new Blob([bytes]))).toEqual({ totalBytes: bytes.length, checksum });
  expect(await client.streams.upload(new Blob([bytes]).stream())).toEqual({ totalBytes: bytes.length, checksum });
  const empty = await client.streams.upload(new Blob([]));
  expect(empty).toEqual({ totalBytes: 0, checksum: createHash("sha256").digest("hex") });
});

test("a byte that changes on its way is found by the checksum", async () => {
  await using server = await startServer();
  const marker = Buffer.from("the byte to change: A");
  let changes = 0;
  await using proxy = await startTcpProxy(server.port, {
    onRequestBytes(bytes) {
      const at = bytes.indexOf(marker);
      if (at < 0) return bytes;
      changes += 1;
      const changed = Buffer.from(bytes);
      changed[at + marker.length - 1] = "B".charCodeAt(0);
      return changed;
    },
  });
  await using client = createRollcall({ baseUrl: proxy.url, token: await server.token() });
  const error = await client.streams.upload(new Blob([marker])).catch((reason: unknown) => reason);
  expect(changes).toBe(1);
  expect(error).toBeInstanceOf(ChecksumMismatchError);
  const { sent, received } = error as ChecksumMismatchError;
  expect(sent).toBe(createHash("sha256").update(marker).digest("hex"));
  expect(received).toBe(createHash("sha256").update("the byte to change: B").digest("hex"));
});

test("an upload can be canceled, and its source is let go", async () => {
  await using server = await startServer();
  await using client = createRollcall({ baseUrl: server.url, token: await server.token() });
  await client.streams.upload(new Blob(["the first, which opens the connection"]));
  const leaks = watchForLeaks();
  const source = endlessSource();
  const controller = new AbortController();
  const upload = client.streams.upload(source.chunks, {
    signal: controller.signal,
    onProgress: ({ sentBytes }) => sentBytes > MIB && controller.abort(),
  });
  await expect(upload).rejects.toMatchObject({ code: Code.Canceled });
  await until(() => source.isReleased);
  const [, call] = await until(() => {
    const calls = server.log.filter(({ msg }) => msg === "call");
    return calls.length > 1 && calls;
  });
  expect(call).toMatchObject({ code: "canceled" });
  await leaks.assertNone();
});

test("an upload that the server refuses midway ends at once with its error, and its source is let go", async () => {
  await using server = await startServer({ streams: { maxUploadBytes: MIB } });
  await using client = createRollcall({ baseUrl: server.url, token: await server.token() });
  const source = endlessSource();
  await expect(client.streams.upload(source.chunks)).rejects.toMatchObject({
    code: Code.ResourceExhausted,
    rawMessage: `upload is larger than ${MIB} bytes`,
  });
  await until(() => source.isReleased);
});

test("a source of strings is refused, not uploaded as nothing", async () => {
  await using server = await startServer();
  await using client = createRollcall({ baseUrl: server.url, token: await server.token() });
  // Types do not catch this mistake: a file's stream with an encoding.
  const source = Readable.from(["some", "text"]);
  await expect(client.streams.upload(source)).rejects.toThrow(TypeError);
  await until(() => source.destroyed);
  await client.close();
  expect(server.log.filter(({ msg, code }) => msg === "call" && code === "ok")).toEqual([]);
});

test("anything but a source is refused with words that say what is one", async () => {
  await using server = await startServer();
  const options = { baseUrl: server.url, token: await server.token() };
  await using node = createRollcall(options);
  await using browser: Rollcall = createBrowserRollcall(options);
  const words = "an upload takes a Blob, a ReadableStream or an async iterable of Uint8Array, or in Node.js the path";
  for (const source of [new Uint8Array(1), new ArrayBuffer(1), undefined, null, 5, {}]) {
    for (const { streams } of [node, browser]) {
      const upload = streams.upload(source as never);
      await expect(upload).rejects.toThrow(TypeError);
      await expect(upload).rejects.toThrow(words);
    }
  }
  await expect(browser.streams.upload("notes.txt" as never)).rejects.toThrow(words);
});

test("an upload whose progress is not noted goes on", async () => {
  await using server = await startServer();
  await using client = createRollcall({ baseUrl: server.url, token: await server.token() });
  const onProgress = () => {
    throw new Error("the bar is gone");
  };
  expect(await client.streams.upload(new Blob(["abc"]), { onProgress })).toMatchObject({ totalBytes: 3 });
});

test("a source that fails ends the upload with its own error", async () => {
  await using server = await startServer();
  await using client = createRollcall({ baseUrl: server.url, token: await server.token() });
  const fault = new Error("the disk is gone");
  async function* failing() {
    yield new Uint8Array(CHUNK_BYTES);
    throw fault;
  }
  await expect(client.streams.upload(failing())).rejects.toBe(fault);
  // The server does not mistake the part for the whole.
  const call = await until(() => server.log.find((line) => line.msg === "call"));
  expect(call).not.toMatchObject({ code: "ok" });
});

test("a source that ends before it should is no upload; one that ends where it should is", async () => {
  await using server = await startServer();
  await using client = createRollcall({ baseUrl: server.url, token: await server.token() });
  async function* bytes(count: number) {
    for (let sent = 0; sent < count; sent += 1_000) yield new Uint8Array(1_000);
  }
  // The stream of a file that was truncated after it was chosen looks like this.
  await expect(client.streams.upload(bytes(3_000), { totalBytes: 5_000 })).rejects.toThrow(
    "the source ended after 3000 of 5000 bytes",
  );
  expect(await client.streams.upload(bytes(5_000), { totalBytes: 5_000 })).toMatchObject({ totalBytes: 5_000 });
});
