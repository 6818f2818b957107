import { createHash } from "node:crypto";
import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { startServer } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";
import { createBrowserTransport, createFetchTransport, createRollcallClient } from "../src/index.ts";
import { createRollcallClient as createNodeClient, createNodeTransport } from "../src/node/index.ts";
import { bundle } from "./support/bundle.ts";
import { expectedOfCore, runCoreScenario } from "./support/core-scenario.ts";

/**
 * The core with all that it imports, compressed: what a page loads for it. Most of it
 * is Connect, Protobuf-ES and the descriptors, without the schema of the validation rules.
 */
const MAX_GZIP_BYTES = 54_200;

test("the core imports no Node module, and stays small", async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), "rollcall-core-"));
  const chunks = await bundle(join(import.meta.dirname, "../src/index.ts"), folder.path);
  const modules = chunks.flatMap(({ moduleIds }) => moduleIds);
  expect(modules.length).toBeGreaterThan(20);
  // Vite puts a stand-in where a browser's code asks for one of Node's modules.
  expect(modules.filter((id) => /browser-external|node:|client\/src\/node\//.test(id))).toEqual([]);
  expect(chunks.flatMap(({ imports, dynamicImports }) => [...imports, ...dynamicImports])).toEqual([]);
  const gzipBytes = chunks.reduce((sum, { code }) => sum + gzipSync(code).length, 0);
  console.log(`@rollcall/client: ${(gzipBytes / 1_000).toFixed(1)} kB gzip`);
  expect(gzipBytes).toBeLessThan(MAX_GZIP_BYTES);

  // The control: the Node part is found out.
  const nodeModules = (await bundle(join(import.meta.dirname, "../src/node/index.ts"), folder.path)).flatMap(
    ({ moduleIds }) => moduleIds,
  );
  expect(nodeModules.some((id) => /browser-external|client\/src\/node\//.test(id))).toBe(true);
});

for (const protocol of ["connect", "grpc-web"] as const) {
  test(`the core runs in Node, by ${protocol} over fetch`, async () => {
    await using server = await startServer();
    expect(await runCoreScenario({ baseUrl: server.url, token: await server.token(), protocol })).toEqual(
      expectedOfCore,
    );
  });
}

test("the core uploads and chats over a transport that streams requests, and hashes by itself", async () => {
  await using server = await startServer();
  await using client = createRollcallClient({
    baseUrl: server.url,
    token: await server.token(),
    createTransport: ({ baseUrl, interceptors }) =>
      createNodeTransport({ baseUrl: baseUrl, interceptors, pool: { idleTimeoutMs: 10 } }),
  });
  const bytes = new Uint8Array(200_000).map((_, index) => index);
  const receipt = await client.uploadFile(new Blob([bytes]));
  expect(receipt.checksum).toBe(createHash("sha256").update(bytes).digest("hex"));
  const chat = client.chat();
  await chat.send("Hello");
  chat.end();
  expect(await Array.fromAsync(chat)).toEqual(["Echo: Hello"]);
});

test.each([
  ["createRollcallClient", createRollcallClient],
  ["createRollcallClient of Node.js", createNodeClient],
  ["createNodeTransport", createNodeTransport],
  ["createFetchTransport", createFetchTransport],
  ["createBrowserTransport", createBrowserTransport],
] as [string, (options: { baseUrl: string }) => unknown][])("%s without a baseUrl says so", (_name, create) => {
  for (const options of [{}, { address: "http://localhost:8080" }]) {
    expect(() => create(options as unknown as { baseUrl: string })).toThrow("baseUrl must be a string");
  }
});
