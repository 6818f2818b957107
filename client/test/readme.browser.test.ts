import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { launchChromium } from "@rollcall/testing/chromium";
import { examplesIn } from "@rollcall/testing/readme-examples";
import { startServer } from "@rollcall/testing/start-server";
import { build } from "vite";
import { test } from "vitest";
import { startExample } from "./support/example-folder.ts";

test("the README's page in Chromium", async () => {
  await using folder = await startExample();
  const [code = ""] = examplesIn(await readFile(join(import.meta.dirname, "../README.md"), "utf8"), "ts browser");
  await writeFile(join(folder.path, "main.ts"), code);
  await writeFile(join(folder.path, "index.html"), `<body></body><script type="module" src="/main.ts"></script>`);
  await build({ root: folder.path, configFile: false, logLevel: "error", build: { target: "esnext" } });
  await using server = await startServer({ webRoot: join(folder.path, "dist") });
  await using browser = await launchChromium();
  await using page = await browser.newPage();
  await page.addInitScript({ content: `sessionStorage.setItem("rollcall.token", "${await server.token()}")` });
  await page.goto(server.url);
  await page.getByText("0 users").waitFor();
});
