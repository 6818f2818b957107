import { createHash } from "node:crypto";
import { connectChromium } from "@rollcall/testing/chromium";
import { startServer, until } from "@rollcall/testing/start-server";
import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { openApp, SCHEMES } from "./support/open-app.ts";
import { startReverseProxy } from "./support/reverse-proxy.ts";
import { button, choose, chooseEndless, chooseLarge, fact, panel, say } from "./support/stream-pages.ts";

const browser = await connectChromium();

const bytesOf = (size: number) => Buffer.alloc(size, "rollcall");
/** Measures the memory that a page's JavaScript holds, in bytes, without garbage. */
async function createHeapMeter(page: Page): Promise<() => Promise<number>> {
  const devTools = await page.context().newCDPSession(page);
  return async () => {
    // Twice: the garbage of the first run is freed in the background, and the second run waits for that.
    await devTools.send("HeapProfiler.collectGarbage");
    await devTools.send("HeapProfiler.collectGarbage");
    const { usedSize, backingStorageSize } = await devTools.send("Runtime.getHeapUsage");
    return usedSize + backingStorageSize;
  };
}
const lines = (page: Page) => page.locator(".line .bubble").allTextContents();

describe.each(SCHEMES)("over %s", (scheme) => {
  test("a page of a server on an IPv6 address converses with it", async () => {
    await using app = await openApp(browser, { scheme, path: "/chat", app: { host: "::1" } });
    expect(app.page.url()).toContain("//[::1]:");
    await say(app.page, "six");
    await app.page.getByText("Echo: six", { exact: true }).waitFor();
  });

  test("a query's results come one by one, with the call beside them", async () => {
    await using app = await openApp(browser, { scheme, path: "/query", app: { streams: { resultIntervalMs: 30 } } });
    const { page } = app;
    await page.getByLabel("Query", { exact: true }).fill("roll call");
    await button(page, "Run").click();
    await page.getByText("Result 0 for query: roll call").waitFor();
    await page.getByText("10 results, complete.").waitFor();
    expect(await page.getByRole("progressbar", { name: "Progress" }).getAttribute("value")).toBe("10");
    expect(await fact(page, "Protocol")).toBe("Connect, binary");
    expect(await fact(page, "Transport")).toBe("fetch");
    expect(await fact(page, "State")).toBe("ok");
    expect(await fact(page, "Messages")).toBe("1 sent, 10 received");
    await panel(page).getByText("Request headers").click();
    await panel(page).getByText("Response headers").click();
    await panel(page).getByText("application/connect+proto").first().waitFor();
    expect(await panel(page).getByText("Bearer …").count()).toBe(1);
  });

  test("a file goes up, and both sides agree on its checksum", async () => {
    await using app = await openApp(browser, { scheme, path: "/upload" });
    const { page } = app;
    const file = bytesOf(3_000_000);
    const checksum = createHash("sha256").update(file).digest("hex");
    await button(page, "Choose a file").waitFor();
    await choose(page, file);
    await page.getByText("✓ The server received exactly this file.").waitFor();
    expect(await page.locator(".checksum code").allTextContents()).toEqual([checksum, checksum]);
    await page.getByText("2.9 MiB of 2.9 MiB").waitFor();
    expect(await fact(page, "Transport")).toBe("WebSocket, grpc-websockets");
    // The panel shows the call's state at the next frame.
    await expect.poll(() => fact(page, "Messages")).toBe("46 sent, 1 received");
    await panel(page).getByText("Trailers").click();
    await panel(page).getByText("grpc-status").waitFor();
  });

  test("a conversation is full duplex: each side speaks before the other has ended", async () => {
    await using app = await openApp(browser, { scheme, path: "/chat", clockAheadMs: 0 });
    const { page } = app;
    for (const word of ["one", "two", "three"]) {
      await say(page, word);
      // The next message is sent only after this answer. Half duplex would wait for it for ever.
      await page.getByText(`Echo: ${word}`, { exact: true }).waitFor();
    }
    expect(await lines(page)).toEqual(["one", "Echo: one", "two", "Echo: two", "three", "Echo: three"]);
    await page.getByText("You → server: open").waitFor();
    // The page pauses between its messages. Its stopped clock makes that pause last until the first reply has come.
    await page.clock.pauseAt(Date.now() + 60_000);
    await button(page, "Send 20").click();
    await page.getByText("Echo: message 1", { exact: true }).waitFor();
    await page.clock.resume();
    await page.getByText("Echo: message 20", { exact: true }).waitFor();
    // Replies come before the last message is sent.
    const all = await lines(page);
    expect(all.indexOf("Echo: message 1")).toBeLessThan(all.indexOf("message 20"));
    expect(all).toHaveLength(46);
    await button(page, "End").click();
    await page.getByText("The conversation has ended.").waitFor();
    expect(await fact(page, "State")).toBe("ok");
    expect(await fact(page, "Messages")).toBe("23 sent, 23 received");
  });
});

test("the last line stays in view unless the reader has scrolled up", async () => {
  await using app = await openApp(browser, { path: "/chat" });
  const { page } = app;
  await button(page, "Send 20").click();
  const last = page.getByText("Echo: message 20", { exact: true });
  await last.waitFor();
  const belowView = () =>
    page.evaluate<number>(
      "(({ scrollHeight, scrollTop, clientHeight }) => scrollHeight - scrollTop - clientHeight)(document.querySelector('.chat-log'))",
    );
  await expect.poll(belowView).toBeLessThan(5);
  await page.locator(".chat-log").hover();
  await page.mouse.wheel(0, -300);
  await expect.poll(belowView).toBeGreaterThan(200);
  await say(page, "below");
  await page.getByText("Echo: below", { exact: true }).waitFor();
  expect(await belowView()).toBeGreaterThan(200);
});

test("a dropped file goes up too", async () => {
  await using app = await openApp(browser, { path: "/upload" });
  const { page } = app;
  await button(page, "Choose a file").waitFor();
  const transfer = await page.evaluateHandle(
    "(() => { const t = new DataTransfer(); t.items.add(new File(['dropped'], 'd.txt')); return t; })()",
  );
  await page.dispatchEvent(".drop-zone", "drop", { dataTransfer: transfer });
  await page.getByText("✓ The server received exactly this file.").waitFor();
  await page.getByText("d.txt", { exact: true }).waitFor();
});

describe.each(SCHEMES)("a cancel reaches the handler, over %s", (scheme) => {
  const ended = (app: { server: { log: Record<string, unknown>[] } }, method: string) =>
    until(() =>
      app.server.log.find((line) => line.msg === "call" && line.method === `stream.v1.StreamService/${method}`),
    );

  test("of a query", async () => {
    await using app = await openApp(browser, {
      scheme,
      path: "/query",
      app: { streams: { resultIntervalMs: 600_000 } },
    });
    await button(app.page, "Run").click();
    await app.page.getByText("Result 0").waitFor();
    await button(app.page, "Cancel").click();
    await app.page.getByText("Canceled. 1 result until then.").waitFor();
    expect(await ended(app, "ServerStream")).toMatchObject({ code: "canceled" });
  });

  test("of a conversation", async () => {
    await using app = await openApp(browser, { scheme, path: "/chat" });
    await say(app.page, "hello");
    await app.page.getByText("Echo: hello", { exact: true }).waitFor();
    await button(app.page, "Cancel").click();
    await app.page.getByText("Canceled.").waitFor();
    expect(await ended(app, "BidirectionalStream")).toMatchObject({ code: "canceled" });
  });

  test("of an upload, and so does leaving the page", async () => {
    await using app = await openApp(browser, { scheme, path: "/upload" });
    const { page } = app;
    await button(page, "Choose a file").waitFor();
    await chooseEndless(page);
    await expect.poll(() => page.getByRole("progressbar").getAttribute("value")).toMatch(/^0\.\d/);
    await button(page, "Cancel").click();
    await page.getByText("Canceled.").waitFor();
    expect(await ended(app, "ClientStream")).toMatchObject({ code: "canceled" });
    await page.getByRole("link", { name: "Chat" }).click();
    await say(page, "hello");
    await page.getByText("Echo: hello", { exact: true }).waitFor();
    await page.getByRole("link", { name: "Query" }).click();
    expect(await ended(app, "BidirectionalStream")).toMatchObject({ code: "canceled" });
  });
});

describe("resources", () => {
  test("32 MB go up while the page holds little of them", async () => {
    await using app = await openApp(browser, { path: "/upload" });
    const { page, server } = app;
    const { promise: held, resolve: onHeld } = Promise.withResolvers<void>();
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    await using proxy = await startReverseProxy(server.url, { hold: { afterBytes: 15_000_000, onHeld, released } });
    await page.goto(`${proxy.url}/upload#token=${await server.token()}`);
    await button(page, "Choose a file").waitFor();
    // Samples, at every frame, the bytes that the page's sockets have taken but not sent.
    await page.evaluate(`
      window.mostUnsent = 0;
      const send = WebSocket.prototype.send;
      WebSocket.prototype.send = function (data) {
        send.call(this, data);
        window.mostUnsent = Math.max(window.mostUnsent, this.bufferedAmount);
      };
    `);
    const heldBytes = await createHeapMeter(page);
    const before = await heldBytes();
    await chooseLarge(page, 32);
    const verdict = page.getByText("✓ The server received exactly this file.");
    await held;
    await expect.poll(() => page.getByRole("progressbar").getAttribute("value")).toMatch(/^0\.[5-9]/);
    expect(await page.locator(".facts dd.numeric").allTextContents()).toEqual([
      expect.stringMatching(/^[\d.,]+ [KM]iB of 30\.5 MiB$/),
      expect.stringMatching(/^[\d.,]+ [KM]iB\/s$/),
    ]);
    // 15 MB have passed, the network holds some 10 more, and the upload stands still: the page holds 4 MB,
    // once the browser has let go of what it has sent.
    await expect.poll(async () => (await heldBytes()) - before).toBeLessThan(8_000_000);
    release();
    await verdict.waitFor();
    const checksum = createHash("sha256").update(bytesOf(32_000_000)).digest("hex");
    expect(await page.locator(".checksum code").allTextContents()).toEqual([checksum, checksum]);
    const { requestBytes } = await until(() => server.log.find(({ msg }) => msg === "call"));
    expect(requestBytes).toBeGreaterThan(32_000_000);
    expect(Number(await page.evaluate("window.mostUnsent"))).toBeLessThan(2 * 1024 ** 2);
    // The control: memory that the page does hold is measured.
    await page.evaluate("void (window.held = new Uint8Array(20_000_000).fill(1))");
    expect((await heldBytes()) - before).toBeGreaterThan(20_000_000);
    // Requests go to the proxy's own origin.
    app.expectProblems(/^request to/);
  });

  test("10 conversations one after the other leave no socket", async () => {
    await using app = await openApp(browser, { path: "/chat" });
    const { page, server } = app;
    let open = 0;
    let opened = 0;
    page.on("websocket", (socket) => {
      open++;
      opened++;
      socket.on("close", () => open--);
    });
    for (let call = 1; call <= 10; call++) {
      await say(page, `call ${call}`);
      await page.getByText(`Echo: call ${call}`, { exact: true }).waitFor();
      await button(page, "End").click();
      await page.getByText("The conversation has ended.").waitFor();
    }
    await until(() => open === 0);
    expect(opened).toBe(10);
    const calls = await until(() => {
      const ended = server.log.filter(
        ({ msg, method }) => msg === "call" && String(method).endsWith("/BidirectionalStream"),
      );
      return ended.length >= 10 && ended;
    });
    expect(calls).toHaveLength(10);
    expect(new Set(calls.map(({ code }) => code))).toEqual(new Set(["ok"]));
  });
});

test("other pages may not open sockets to the server", async () => {
  await using server = await startServer();
  await using other = await startServer();
  const page = await browser.newPage();
  const open = (url: string) =>
    page.evaluate(`new Promise((resolve) => {
      const socket = new WebSocket("${url.replace("http", "ws")}/stream.v1.StreamService/BidirectionalStream", ["grpc-websockets"]);
      socket.onopen = () => resolve("open");
      socket.onclose = () => resolve("closed");
    })`);
  await page.goto(`${other.url}/healthz`);
  expect(await open(server.url)).toBe("closed");
  // The control: the same from a page of the server's own.
  await page.goto(`${server.url}/healthz`);
  expect(await open(server.url)).toBe("open");
  await page.close();
});
