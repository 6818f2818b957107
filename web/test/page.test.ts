import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { UserService } from "@rollcall/gen/user/v1/user";
import type { Browser } from "playwright-core";
import { build } from "vite";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startServer } from "../../server/test/harness.ts";
import { launchChromium } from "../../test/chromium.ts";

const webRoot = mkdtempSync(join(tmpdir(), "rollcall-web-"));
let browser: Browser;
beforeAll(async () => {
  const configFile = join(import.meta.dirname, "../vite.config.ts");
  await build({ configFile, logLevel: "error", build: { outDir: webRoot } });
  browser = await launchChromium();
});
afterAll(async () => {
  await browser.close();
  rmSync(webRoot, { recursive: true });
});

test("the ready link signs in, leaves no token in the address bar, and shows the users page by page", async () => {
  await using server = await startServer({ webRoot });
  const users = createClient(UserService, createGrpcTransport({ baseUrl: server.url }));
  const headers = await server.auth();
  for (let i = 0; i < 60; i++)
    await users.createUser({ email: `user${i}@example.com`, name: `User ${i}` }, { headers });
  await using page = await browser.newPage();
  const problems: string[] = [];
  page.on("console", (message) => problems.push(message.text()));
  page.on("pageerror", (error) => problems.push(String(error)));
  await page.goto(`${server.url}/#token=${await server.token()}`);
  await page.getByRole("cell", { name: "user49@example.com" }).waitFor();
  expect(page.url()).toBe(`${server.url}/`);
  expect(await page.getByRole("row").count()).toBe(51);
  await page.getByRole("button", { name: "More" }).click();
  await page.getByRole("cell", { name: "user59@example.com" }).waitFor();
  expect(await page.getByRole("button", { name: "More" }).isVisible()).toBe(false);
  expect(problems).toEqual([]);
});

test("without a token it asks for one, and says when one is not accepted", async () => {
  await using server = await startServer({ webRoot });
  await using page = await browser.newPage();
  await page.goto(server.url);
  const submit = async (token: string) => {
    await page.getByLabel("Token").fill(token);
    await page.getByRole("button", { name: "Sign in" }).click();
  };
  await submit(await server.token({ ttlSeconds: -1 }));
  await page.getByText("The token was not accepted").waitFor();
  await submit(await server.token());
  await page.getByText("Nobody is here yet").waitFor();
});
