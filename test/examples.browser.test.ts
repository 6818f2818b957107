import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { launchChromium } from "@rollcall/testing/chromium";
import { root } from "@rollcall/testing/root";
import { startServer } from "@rollcall/testing/start-server";
import { createServer } from "vite";
import { expect, test, vi } from "vitest";

test("the README's page runs in Chromium, served as it says", async () => {
  await using server = await startServer();
  await using cache = await mkdtempDisposable(join(tmpdir(), "rollcall-vite-"));
  vi.stubEnv("ROLLCALL_ADDRESS", server.url);
  const folder = join(root, "examples/browser");
  const vite = await createServer({ root: folder, logLevel: "error", cacheDir: cache.path, server: { port: 0 } });
  vi.unstubAllEnvs();
  try {
    await vite.listen();
    await using browser = await launchChromium();
    await using page = await browser.newPage();
    const address = `${vite.resolvedUrls?.local[0]}`;
    await page.goto(`${address}#token=${await server.token()}`);
    await page.getByText("Echo: hello").waitFor();
    expect(server.log.filter(({ msg }) => msg === "call").map(({ code }) => code)).not.toContain("unauthenticated");
    await using withoutToken = await browser.newPage();
    await withoutToken.goto(address);
    await withoutToken.getByText("UnauthorizedError: missing authorization token").waitFor();
  } finally {
    await vite.close();
  }
});
