import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { launchChromium } from "../../test/chromium.ts";
import { openApp, SCHEMES } from "./open-app.ts";
import { startProxy } from "./proxy.ts";
import { button, chooseLarge, fact, say } from "./stream-pages.ts";

let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser.close());

describe.each(SCHEMES)("over %s", (scheme) => {
  test("a query of nothing is refused by the contract's rule, and not sent", async () => {
    await using app = await openApp(browser, { scheme, path: "/query" });
    await app.page.getByLabel("Query", { exact: true }).fill("");
    await button(app.page, "Run").click();
    await app.page.getByText("query is required").waitFor();
    expect(await fact(app.page, "State")).toBe("not begun");
  });

  test("the server stops in mid-stream", async () => {
    await using app = await openApp(browser, {
      scheme,
      path: "/query",
      app: { streams: { resultIntervalMs: 60_000 }, shutdownGraceMs: 50 },
    });
    await button(app.page, "Run").click();
    await app.page.getByText("Result 0").waitFor();
    await app.server.app.close();
    await app.page.getByText("The server can't be reached at the moment (server is shutting down).").waitFor();
    expect(await fact(app.page, "State")).toBe("unavailable");
  });

  test("the server stops in mid-conversation, and the next one says that it is away", async () => {
    await using app = await openApp(browser, { scheme, path: "/chat", app: { shutdownGraceMs: 50 } });
    await say(app.page, "hello");
    await app.page.getByText("Echo: hello").waitFor();
    await app.server.app.close();
    await app.page.getByText("(server is shutting down)").waitFor();
    await say(app.page, "anybody?");
    await app.page.getByText("the server can't be reached, or does not allow this page's origin").waitFor();
    expect(app.problems.splice(0)).toEqual([expect.stringContaining("ERR_CONNECTION_REFUSED")]);
  });

  test("the network breaks under a conversation", async () => {
    await using app = await openApp(browser, { scheme, path: "/chat" });
    await using proxy = await startProxy(app.server.url);
    await app.page.goto(`${proxy.url}/chat#token=${await app.server.token()}`);
    await say(app.page, "hello");
    await app.page.getByText("Echo: hello").waitFor();
    proxy.cut();
    await app.page.getByText("The server can't be reached at the moment (the connection was lost).").waitFor();
    app.problems.splice(0);
  });

  test("a page whose origin is not allowed can't converse; one whose origin is can", async () => {
    await using app = await openApp(browser, { scheme, path: "/chat" });
    for (const [options, outcome] of [
      [{ host: "localhost:1" }, "does not allow this page's origin"],
      [{}, "Echo: hello"],
    ] as const) {
      await using proxy = await startProxy(app.server.url, options);
      await app.page.goto(`${proxy.url}/chat#token=${await app.server.token()}`);
      await say(app.page, "hello");
      await app.page.getByText(outcome).waitFor();
    }
    app.problems.splice(0);
  });

  test("the token expires in mid-conversation", async () => {
    await using app = await openApp(browser, { scheme, path: "/chat", token: { ttlSeconds: 4 } });
    await say(app.page, "hello");
    await app.page.getByText("Echo: hello").waitFor();
    await app.page.getByRole("heading", { name: "Your session has expired" }).waitFor();
  });

  test("a message is too large", async () => {
    await using app = await openApp(browser, { scheme, path: "/chat", app: { readMaxBytes: 10_000 } });
    await say(app.page, "a".repeat(20_000));
    await expect.poll(() => fact(app.page, "State")).toBe("resource_exhausted");
    await say(app.page, "short");
    await app.page.getByText("Echo: short").waitFor();
  });

  test("an upload is too large", async () => {
    await using app = await openApp(browser, {
      scheme,
      path: "/upload",
      app: { streams: { maxUploadBytes: 1_000_000 } },
    });
    await button(app.page, "Choose a file").waitFor();
    await chooseLarge(app.page, 30);
    await app.page.getByText("Upload is larger than 1000000 bytes.").waitFor();
  });

  test("the token does not allow streams", async () => {
    await using app = await openApp(browser, { scheme, path: "/chat", token: { scopes: ["users:read"] } });
    await say(app.page, "hello");
    await app.page.getByText("Your token does not allow this: missing scope streams.").waitFor();
  });
});
