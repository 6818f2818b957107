import { connectChromium } from "@rollcall/testing/chromium";
import { describe, expect, test } from "vitest";
import { openApp, SCHEMES } from "./support/open-app.ts";
import { startReverseProxy } from "./support/reverse-proxy.ts";
import { button, choose, panel, say } from "./support/stream-pages.ts";
import { fillForm, names } from "./support/users-page.ts";

const browser = await connectChromium();

describe.each(SCHEMES)("over %s, below a path", (scheme) => {
  test("the whole app works: assets, deep links, calls and WebSockets", async () => {
    await using app = await openApp(browser, { scheme, token: false });
    await using proxy = await startReverseProxy(app.server.url, { prefix: "/tools/rollcall" });
    const { page } = app;
    // Until then, the page loads files directly from the server.
    await page.getByRole("heading", { name: "Sign in" }).waitFor();
    const requests: string[] = [];
    page.on("request", (request) => requests.push(request.url()));
    page.on("websocket", (socket) => requests.push(socket.url().replace(/^ws/, "http")));

    await page.goto(`${proxy.url}/#token=${await app.server.token()}`);
    await page.getByText("Nobody is here yet.").waitFor();
    expect(page.url()).toBe(`${proxy.url}/users`);
    await button(page, "New user").click();
    await fillForm(page, "Ada", "ada@example.com");
    await page.getByText("Ada was created.").waitFor();
    await page.getByLabel("Search").fill("ada");
    await expect.poll(() => page.url()).toBe(`${proxy.url}/users?q=ada`);
    await page.reload();
    await expect.poll(() => names(page)).toEqual(["Ada"]);

    await page.getByRole("link", { name: "Chat" }).click();
    await expect.poll(() => page.url()).toBe(`${proxy.url}/chat`);
    await say(page, "hello");
    await page.getByText("Echo: hello", { exact: true }).waitFor();

    await page.goto(`${proxy.url}/upload/`);
    await choose(page, Buffer.from("hello"));
    await page.getByText("✓ The server received exactly this file.").waitFor();
    await page.goto(`${proxy.url}/no/such/page`);
    await page.getByRole("heading", { name: "There is no such page" }).waitFor();
    await page.getByRole("link", { name: "Query" }).click();
    await expect.poll(() => page.url()).toBe(`${proxy.url}/query`);
    await button(page, "Run").click();
    await page.getByText("10 results, complete.").waitFor();

    expect(requests.filter((url) => !url.startsWith(`${proxy.url}/`))).toEqual([]);
    expect(requests.filter((url) => url.includes("BidirectionalStream"))).toHaveLength(1);
    for (const tool of ["curl", "buf curl", "rollcall"]) {
      await page.getByRole("tab", { name: tool, exact: true }).click();
      const command = panel(page).getByRole("region", { name: `${tool} command`, exact: true });
      expect(await command.textContent()).toContain(proxy.url);
    }
    app.expectProblems(/^request to/);
  });
});

test("two servers below one origin have a session each", async () => {
  await using app = await openApp(browser, { token: false });
  await using proxy = await startReverseProxy(app.server.url, { prefix: "/one" });
  await app.page.goto(`${proxy.url}/#token=${await app.server.token()}`);
  await app.page.getByText("Nobody is here yet.").waitFor();
  expect(await app.page.evaluate("Object.keys(sessionStorage)")).toEqual(["rollcall.token/one"]);
  app.expectProblems(/^request to/);
  // Close the page now: it watches users through the proxy, which is disposed before the app.
  await app.page.close();
});

test("the page says so when a proxy does not pass on the app's files", async () => {
  await using app = await openApp(browser, { token: false });
  // The page asks for files above the path, where the proxy has none.
  await using proxy = await startReverseProxy(app.server.url, { prefix: "/rollcall", keepsPrefix: true });
  await app.page.goto(`${proxy.url}/users`);
  await app.page.getByText("a proxy in front of Rollcall may not pass its files on").waitFor();
  app.expectProblems(/^request to|status of 404|MIME type/);
});
