import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { mkdtempDisposable } from "node:fs/promises";
import { join } from "node:path";
import { launchChromium } from "@rollcall/testing/chromium";
import { examplesIn } from "@rollcall/testing/readme-examples";
import { root } from "@rollcall/testing/root";
import { startServer } from "@rollcall/testing/start-server";
import { build } from "vite";
import { test } from "vitest";

test("the documented page runs in Chromium", async () => {
  const [code = ""] = examplesIn(readFileSync(join(root, "docs/calling.md"), "utf8"), "ts browser");
  // Below the root, so that the example finds the packages that it imports.
  mkdirSync(join(root, ".readme"), { recursive: true });
  await using folder = await mkdtempDisposable(join(root, ".readme/"));
  writeFileSync(join(folder.path, "index.html"), `<!doctype html><script type="module" src="/main.ts"></script>`);
  writeFileSync(join(folder.path, "main.ts"), code.replace('"http://localhost:8080"', "location.origin"));
  await build({ root: folder.path, configFile: false, logLevel: "error", build: { target: "esnext" } });
  await using server = await startServer({ webRoot: join(folder.path, "dist") });
  await using browser = await launchChromium();
  const tab = await browser.newPage();
  await tab.addInitScript({ content: `sessionStorage.setItem("rollcall.token", "${await server.token()}")` });
  await tab.goto(server.url);
  await tab.getByText("Echo: goodbye").waitFor();
});
