import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { root } from "@rollcall/testing/root";
import { startServer } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";
import { createFetchTransport, createRollcall, ValidationError } from "../src/index.ts";
import { createRollcall as createNodeClient, createNodeTransport } from "../src/node/index.ts";
import { bundle } from "./support/bundle.ts";
import { expectedOfCore, runCoreScenario } from "./support/core-scenario.ts";

/**
 * Most bytes of the core with all its imports, compressed, which is the amount that a page loads for it. Most of it is
 * Connect, Protobuf-ES and the descriptors, without the schema of the validation rules.
 */
const MAX_GZIP_BYTES = 51_000;
/** Most bytes that WebSockets and the streams together load when they are needed. */
const MAX_LATER_GZIP_BYTES = 12_000;

test("the core imports no Node module, stays small, and loads WebSockets and streams when they are needed", async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), "rollcall-core-"));
  const chunks = await bundle(join(import.meta.dirname, "../src/index.ts"), folder.path);
  const modules = chunks.flatMap(({ moduleIds }) => moduleIds);
  expect(modules.length).toBeGreaterThan(20);
  // Vite inserts a placeholder where browser code imports a module of Node.
  expect(modules.filter((id) => /browser-external|node:|client\/src\/node\//.test(id))).toEqual([]);
  const [entry] = chunks.filter(({ isEntry }) => isEntry);
  const atOnce = new Set([entry?.fileName ?? ""]);
  for (const name of atOnce)
    for (const each of chunks.find(({ fileName }) => fileName === name)?.imports ?? []) atOnce.add(each);
  const gzipBytes = (some: typeof chunks) => some.reduce((sum, { code }) => sum + gzipSync(code).length, 0);
  const isAtOnce = ({ fileName }: { fileName: string }) => atOnce.has(fileName);
  const core = gzipBytes(chunks.filter(isAtOnce));
  const later = chunks.filter((chunk) => !isAtOnce(chunk));
  const sizes = later.map((chunk) => `${chunk.name} ${(gzipBytes([chunk]) / 1_000).toFixed(1)}`);
  console.log(`@rollcall/client: ${(core / 1_000).toFixed(1)} kB gzip; when needed: ${sizes.join(", ")} kB`);
  expect(later.map(({ name }) => name).toSorted()).toEqual(["grpc-web", "in-page"]);
  expect(core).toBeLessThan(MAX_GZIP_BYTES);
  expect(gzipBytes(later)).toBeLessThan(MAX_LATER_GZIP_BYTES);
  // The documented sizes are in whole kilobytes.
  const measured = [core, gzipBytes(later), gzipBytes(later.filter(({ name }) => name === "grpc-web"))];
  for (const page of ["client/README.md", "docs/packages.md"]) {
    const text = readFileSync(join(root, page), "utf8").replaceAll(/\s+/g, " ");
    const figures = /(\d+) kB compressed.*?loads (\d+) kB more, (\d+) of them for WebSocket/.exec(text)?.slice(1) ?? [];
    expect(figures).toHaveLength(3);
    for (const [index, figure] of figures.entries())
      expect(Math.abs(Number(figure) - (measured[index] ?? 0) / 1_000), page).toBeLessThan(1);
  }

  // The control: the Node part is detected.
  const nodeModules = (await bundle(join(import.meta.dirname, "../src/node/index.ts"), folder.path)).flatMap(
    ({ moduleIds }) => moduleIds,
  );
  expect(nodeModules.some((id) => /browser-external|client\/src\/node\//.test(id))).toBe(true);
});

for (const protocol of ["connect", "grpc-web", "grpc-websockets"] as const) {
  test(`the core runs in Node, by ${protocol}`, async () => {
    await using server = await startServer();
    const options = { baseUrl: server.url, token: await server.token(), protocol };
    expect(await runCoreScenario(options)).toEqual(expectedOfCore);
    await using client = createRollcall(options);
    const fraction = client.users.list({ pageSize: 1.5 });
    await expect(fraction).rejects.toThrow(ValidationError);
    await expect(fraction).rejects.toThrow("cannot encode field user.v1.ListUsersRequest.page_size");
    await using byJson = createRollcall({ ...options, useBinaryFormat: false });
    await expect(byJson.users.list({ pageSize: 1.5 })).rejects.toThrow(ValidationError);
  });
}

test("the core uploads and chats over WebSockets, and hashes by itself", async () => {
  await using server = await startServer();
  await using client = createRollcall({ baseUrl: server.url, token: await server.token() });
  const bytes = new Uint8Array(200_000).map((_, index) => index);
  const receipt = await client.streams.upload(new Blob([bytes]));
  expect(receipt.checksum).toBe(createHash("sha256").update(bytes).digest("hex"));
  const chat = client.streams.chat();
  await chat.send("Hello");
  chat.end();
  expect(await Array.fromAsync(chat)).toEqual(["Echo: Hello"]);
});

test.each([
  ["createRollcall", createRollcall],
  ["createRollcall of Node.js", createNodeClient],
  ["createNodeTransport", createNodeTransport],
  ["createFetchTransport", createFetchTransport],
] as [string, (options: { baseUrl: string }) => unknown][])("%s without a baseUrl says so", (_name, create) => {
  for (const options of [{}, { address: "http://localhost:8080" }]) {
    expect(() => create(options as unknown as { baseUrl: string })).toThrow("baseUrl must be a string");
  }
});
