import { mkdtempDisposable, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { launchChromium } from "@rollcall/testing/chromium";
import { startServer } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";
import type { RollcallOptions } from "../src/index.ts";
import { bundle } from "./support/bundle.ts";
import { expectedOfCore, type runCoreScenario } from "./support/core-scenario.ts";

test("the core runs in Chromium", async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), "rollcall-core-"));
  const entry = join(folder.path, "entry.ts");
  const scenario = JSON.stringify(join(import.meta.dirname, "support/core-scenario.ts"));
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
    const options: RollcallOptions = { baseUrl: server.url, token: await server.token(), protocol };
    const seen = await page.evaluate(
      (given) => (globalThis as unknown as { runCoreScenario: typeof runCoreScenario }).runCoreScenario(given),
      options,
    );
    expect(seen).toEqual(expectedOfCore);
  }
});
