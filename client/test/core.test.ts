import { createHash } from "node:crypto";
import { mkdtempDisposable, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build, type Rolldown } from "vite";
import { expect, test } from "vitest";
import { startServer } from "../../server/test/harness.ts";
import { launchChromium } from "../../test/chromium.ts";
import { createRollcallClient, type RollcallClientOptions } from "../src/index.ts";
import { createNodeTransport } from "../src/node/index.ts";
import { runCoreScenario } from "./core-scenario.ts";

/**
 * The core with all that it imports, compressed: what a page loads for it. Most of it
 * is Connect, Protobuf-ES and the descriptors, with those of the validation rules.
 */
const MAX_GZIP_BYTES = 62_000;

const expected = {
  same: true,
  repeated: true,
  names: ["Ada", "Grace", "X"],
  changed: "Ada Lovelace",
  stale: "StaleUserError",
  taken: "EmailTakenError",
  violations: ["email", "name"],
  notFound: "UserNotFoundError",
  results: [0, 1, 2, 3, 4],
  canceled: "Canceled",
  renewed: "Ada Lovelace",
  unauthorized: "UnauthorizedError",
  unreachable: "Unavailable",
  closed: "the client is closed",
  retries: [[1, "Unavailable"]],
  lines: ["retry user.v1.UserService/ListUsers", ...Array(3).fill("call user.v1.UserService/ListUsers")],
};

async function bundle(entry: string, folder: string): Promise<Rolldown.OutputChunk[]> {
  const result = await build({
    root: import.meta.dirname,
    configFile: false,
    logLevel: "silent",
    build: {
      write: true,
      outDir: folder,
      target: "esnext",
      minify: true,
      modulePreload: false,
      rolldownOptions: {
        input: entry,
        preserveEntrySignatures: "strict",
        output: { entryFileNames: "bundle.js" },
      },
    },
  });
  const outputs = [result].flat() as Rolldown.RolldownOutput[];
  return outputs.flatMap(({ output }) => output.filter((part) => part.type === "chunk"));
}

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
    expect(await runCoreScenario({ address: server.url, token: await server.token(), protocol })).toEqual(expected);
  });
}

test("the core runs in Chromium", async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), "rollcall-core-"));
  const entry = join(folder.path, "entry.ts");
  const scenario = JSON.stringify(join(import.meta.dirname, "core-scenario.ts"));
  await writeFile(entry, `import { runCoreScenario } from ${scenario};\nglobalThis.runCoreScenario = runCoreScenario;`);
  const webRoot = join(folder.path, "web");
  await bundle(entry, webRoot);
  await writeFile(
    join(webRoot, "index.html"),
    `<!doctype html><link rel="icon" href="data:,"><script type="module" src="/bundle.js"></script>`,
  );
  await using browser = await launchChromium();
  for (const protocol of ["connect", "grpc-web"] as const) {
    await using server = await startServer({ webRoot });
    await using page = await browser.newPage();
    await page.goto(server.url);
    const options: RollcallClientOptions = { address: server.url, token: await server.token(), protocol };
    const seen = await page.evaluate(
      (given) => (globalThis as unknown as { runCoreScenario: typeof runCoreScenario }).runCoreScenario(given),
      options,
    );
    expect(seen).toEqual(expected);
  }
});

test("the core uploads and chats over a transport that streams requests, and hashes by itself", async () => {
  await using server = await startServer();
  await using client = createRollcallClient({
    address: server.url,
    token: await server.token(),
    createTransport: ({ baseUrl, interceptors }) =>
      createNodeTransport({ address: baseUrl, interceptors, pool: { idleTimeoutMs: 10 } }),
  });
  const bytes = new Uint8Array(200_000).map((_, index) => index);
  const receipt = await client.uploadFile(new Blob([bytes]));
  expect(receipt.checksum).toBe(createHash("sha256").update(bytes).digest("hex"));
  const chat = client.chat();
  await chat.send("Hello");
  chat.end();
  expect(await Array.fromAsync(chat)).toEqual(["Echo: Hello"]);
});
