import { createHash } from "node:crypto";
import { connectChromium } from "@rollcall/testing/chromium";
import { describe, expect, test } from "vitest";
import { openApp, SCHEMES, SERVER_AWAY } from "./support/open-app.ts";
import { startReverseProxy } from "./support/reverse-proxy.ts";
import { button, choose, chooseEndless, chooseLarge, fact, say } from "./support/stream-pages.ts";

const browser = await connectChromium();

// With TLS, connections end in other ways.
describe.each(SCHEMES)("over %s", (scheme) => {
  test("the server stops in mid-stream", async () => {
    await using app = await openApp(browser, {
      scheme,
      path: "/query",
      app: { streams: { resultIntervalMs: 600_000 }, shutdownGraceMs: 50 },
    });
    await button(app.page, "Run").click();
    await app.page.getByText("Result 0").waitFor();
    await app.server.app.close();
    await app.page.getByText("The server is not available at the moment (server is shutting down).").waitFor();
    expect(await fact(app.page, "State")).toBe("unavailable");
  });

  test("the server stops in mid-conversation, and the next one says that it is away", async () => {
    await using app = await openApp(browser, { scheme, path: "/chat", app: { shutdownGraceMs: 50 } });
    await say(app.page, "hello");
    await app.page.getByText("Echo: hello", { exact: true }).waitFor();
    await app.server.app.close();
    await app.page.getByText("(server is shutting down)").waitFor();
    await say(app.page, "anybody?");
    await app.page.getByText("the server can't be reached by WebSocket").waitFor();
    app.expectProblems(SERVER_AWAY);
  });

  test("the server has gone before the first call", async () => {
    await using app = await openApp(browser, { scheme, path: "/chat" });
    await button(app.page, "Send").waitFor();
    await app.server.app.close();
    await say(app.page, "anybody?");
    await app.page.getByText("a part of this page can't be loaded: load it again").waitFor();
    await app.page.getByText("not sent", { exact: true }).waitFor();
    expect(await fact(app.page, "State")).toBe("unavailable");
    app.expectProblems(SERVER_AWAY);
  });

  test("the network breaks under a conversation", async () => {
    await using app = await openApp(browser, { scheme, path: "/chat" });
    await using proxy = await startReverseProxy(app.server.url);
    await app.page.goto(`${proxy.url}/chat#token=${await app.server.token()}`);
    await say(app.page, "hello");
    await app.page.getByText("Echo: hello", { exact: true }).waitFor();
    proxy.cut();
    await app.page.getByText("The server is not available at the moment (the connection was lost).").waitFor();
    // Requests go to the proxy's own origin.
    app.expectProblems(/^request to/);
  });

  test("the server stops in mid-upload", async () => {
    await using app = await openApp(browser, { scheme, path: "/upload", app: { shutdownGraceMs: 50 } });
    await button(app.page, "Choose a file").waitFor();
    await chooseEndless(app.page);
    await expect.poll(() => app.page.getByRole("progressbar").getAttribute("value")).not.toBe("0");
    await app.server.app.close();
    await app.page.getByText("(server is shutting down)").waitFor();
    expect(await fact(app.page, "State")).toBe("unavailable");
  });
});

test("an empty query is refused by the contract's rule, and not sent", async () => {
  await using app = await openApp(browser, { path: "/query" });
  await app.page.getByLabel("Query", { exact: true }).fill("");
  await button(app.page, "Run").click();
  await app.page.getByText("query is required").waitFor();
  expect(await fact(app.page, "State")).toBe("not begun");
});

test("a page whose origin is not allowed can't converse; one whose origin is can", async () => {
  await using app = await openApp(browser, { path: "/chat" });
  for (const [options, outcome] of [
    [{ host: "localhost:1" }, "does not allow this page's origin"],
    [{}, "Echo: hello"],
  ] as const) {
    await using proxy = await startReverseProxy(app.server.url, options);
    await app.page.goto(`${proxy.url}/chat#token=${await app.server.token()}`);
    await say(app.page, "hello");
    await app.page.getByText(outcome).first().waitFor();
  }
  app.expectProblems(/^request to|status of 403|response code: 403/);
});

test("the server ends a conversation whose token has expired", async () => {
  // The server's clock, not the page's, stands seconds before the end of the token's hour: enough for an echo, however
  // slow the machine is.
  const nowMs = Date.now() + 3_592_000;
  await using app = await openApp(browser, {
    ...{ path: "/chat", app: { now: () => nowMs } },
    token: { now: Date.now },
  });
  await say(app.page, "hello");
  await app.page.getByText("Echo: hello", { exact: true }).waitFor();
  await app.page.getByRole("heading", { name: "Your session has expired" }).waitFor();
  await app.page.getByText("You were signed in as tester.").waitFor();
});

test("a message is too large", async () => {
  await using app = await openApp(browser, { path: "/chat", app: { maxMessageBytes: 10_000 } });
  await say(app.page, "a".repeat(20_000));
  await expect.poll(() => fact(app.page, "State")).toBe("resource_exhausted");
  await say(app.page, "short");
  await app.page.getByText("Echo: short", { exact: true }).waitFor();
});

test("a byte changes on its way, and both checksums show it", async () => {
  await using app = await openApp(browser, { path: "/upload" });
  await using proxy = await startReverseProxy(app.server.url, { damages: true });
  await app.page.goto(`${proxy.url}/upload#token=${await app.server.token()}`);
  await button(app.page, "Choose a file").waitFor();
  const file = Buffer.alloc(1_000_000, "rollcall");
  await choose(app.page, file);
  await app.page.getByText("✗ The server received something else.").waitFor();
  const [here, there] = await app.page.locator(".checksum code").allTextContents();
  expect(here).toBe(createHash("sha256").update(file).digest("hex"));
  expect(there).toMatch(/^[\da-f]{64}$/);
  expect(there).not.toBe(here);
  app.expectProblems(/^request to/);
});

test("an upload is too large", async () => {
  await using app = await openApp(browser, {
    path: "/upload",
    app: { streams: { maxUploadBytes: 1_000_000 } },
  });
  await button(app.page, "Choose a file").waitFor();
  await chooseLarge(app.page, 5);
  await app.page.getByText("Upload is larger than 1000000 bytes.").waitFor();
});

test("a page of streams says which scope a token lacks", async () => {
  await using app = await openApp(browser, { path: "/chat", token: { scopes: ["users:read"] } });
  for (const title of ["Chat", "Query", "Upload"]) {
    await app.page.getByRole("link", { name: title }).click();
    await app.page.getByRole("heading", { name: title }).waitFor();
    await app.page.getByText("This page needs a token with the scope streams. Yours has users:read.").waitFor();
    expect(await app.page.getByRole("main").getByRole("button").count()).toBe(0);
  }
});
