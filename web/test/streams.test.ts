import { createHash } from "node:crypto";
import { createServer, request as forward } from "node:http";
import { type AddressInfo, connect } from "node:net";
import type { Duplex } from "node:stream";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startServer, until } from "../../server/test/harness.ts";
import { launchChromium } from "../../test/chromium.ts";
import { openApp } from "./open-app.ts";

let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser.close());

const button = (page: Page, name: string) => page.getByRole("button", { name, exact: true });
const panel = (page: Page) => page.getByRole("complementary", { name: "The call" });
const fact = (page: Page, name: string) =>
  panel(page).locator(".facts > div", { hasText: name }).locator("dd").textContent();
const bytesOf = (size: number) => Buffer.alloc(size, "rollcall");
const lines = (page: Page) => page.locator(".line .bubble").allTextContents();

async function choose(page: Page, buffer: Buffer): Promise<void> {
  await page
    .locator("input[type=file]")
    .setInputFiles({ name: "file.bin", mimeType: "application/octet-stream", buffer });
}

/** The same with a file made inside the page: quicker than to hand over a large one. */
async function chooseLarge(page: Page, megabytes: number): Promise<void> {
  await page.evaluate(`(() => {
    const part = new TextEncoder().encode("rollcall".repeat(125_000));
    const transfer = new DataTransfer();
    transfer.items.add(new File(Array(${megabytes}).fill(part), "large.bin"));
    const input = document.querySelector("input[type=file]");
    input.files = transfer.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  })()`);
}

async function say(page: Page, message: string): Promise<void> {
  await page.getByLabel("Message", { exact: true }).fill(message);
  await page.keyboard.press("Enter");
}

describe.each(["http", "https"] as const)("over %s", (scheme) => {
  test("a query's results come one by one, with the call beside them", async () => {
    await using app = await openApp(browser, { scheme, path: "/query", app: { streams: { resultIntervalMs: 30 } } });
    const { page } = app;
    await page.getByLabel("Query", { exact: true }).fill("roll call");
    await button(page, "Run").click();
    await page.getByText("Result 0 for query: roll call").waitFor();
    await page.getByText("10 results, complete.").waitFor();
    expect(await page.getByRole("progressbar", { name: "Results" }).getAttribute("value")).toBe("10");
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
    await page.getByText("3 MB of 3 MB").waitFor();
    expect(await fact(page, "Transport")).toBe("WebSocket, grpc-websockets");
    expect(await fact(page, "Messages")).toBe("12 sent, 1 received");
    await panel(page).getByText("Trailers").click();
    await panel(page).getByText("grpc-status").waitFor();
  });

  test("a conversation is full duplex: each side speaks before the other has ended", async () => {
    await using app = await openApp(browser, { scheme, path: "/chat" });
    const { page } = app;
    for (const word of ["one", "two", "three"]) {
      await say(page, word);
      // The next is not sent before this one's answer: half duplex would wait for ever.
      await page.getByText(`Echo: ${word}`).waitFor();
    }
    expect(await lines(page)).toEqual(["one", "Echo: one", "two", "Echo: two", "three", "Echo: three"]);
    await page.getByText("You → server: open").waitFor();
    await button(page, "Send 20").click();
    await page.getByText("Echo: message 20", { exact: true }).waitFor();
    // Replies are there before the last message is sent.
    const all = await lines(page);
    expect(all.indexOf("Echo: message 1")).toBeLessThan(all.indexOf("message 20"));
    expect(all).toHaveLength(46);
    await button(page, "End").click();
    await page.getByText("The conversation has ended.").waitFor();
    expect(await fact(page, "State")).toBe("ok");
    expect(await fact(page, "Messages")).toBe("23 sent, 23 received");
  });
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

describe("a cancel reaches the handler", () => {
  const ended = (app: { server: { log: Record<string, unknown>[] } }, method: string) =>
    until(() =>
      app.server.log.find((line) => line.msg === "call" && line.method === `stream.v1.StreamService/${method}`),
    );

  test("of a query", async () => {
    await using app = await openApp(browser, { path: "/query", app: { streams: { resultIntervalMs: 60_000 } } });
    await button(app.page, "Run").click();
    await app.page.getByText("Result 0").waitFor();
    await button(app.page, "Cancel").click();
    await app.page.getByText("Canceled. 1 results until then.").waitFor();
    expect(await ended(app, "ServerStream")).toMatchObject({ code: "canceled" });
  });

  test("of a conversation", async () => {
    await using app = await openApp(browser, { path: "/chat" });
    await say(app.page, "hello");
    await app.page.getByText("Echo: hello").waitFor();
    await button(app.page, "Cancel").click();
    await app.page.getByText("Canceled.").waitFor();
    expect(await ended(app, "BidirectionalStream")).toMatchObject({ code: "canceled" });
  });

  test("of an upload, and so does leaving the page", async () => {
    await using app = await openApp(browser, { path: "/upload" });
    const { page } = app;
    await button(page, "Choose a file").waitFor();
    await chooseLarge(page, 100);
    await button(page, "Cancel").click();
    await page.getByText("Canceled.").waitFor();
    expect(await ended(app, "ClientStream")).toMatchObject({ code: "canceled" });
    await page.getByRole("link", { name: "Chat" }).click();
    await say(page, "hello");
    await page.getByText("Echo: hello").waitFor();
    await page.getByRole("link", { name: "Query" }).click();
    expect(await ended(app, "BidirectionalStream")).toMatchObject({ code: "canceled" });
  });
});

describe("faults", () => {
  test("a query of nothing is refused by the contract's rule, and not sent", async () => {
    await using app = await openApp(browser, { path: "/query" });
    await app.page.getByLabel("Query", { exact: true }).fill("");
    await button(app.page, "Run").click();
    await app.page.getByText("query is required").waitFor();
    expect(await fact(app.page, "State")).toBe("not begun");
  });

  test("the server stops in mid-stream", async () => {
    await using app = await openApp(browser, {
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
    await using app = await openApp(browser, { path: "/chat", app: { shutdownGraceMs: 50 } });
    await say(app.page, "hello");
    await app.page.getByText("Echo: hello").waitFor();
    await app.server.app.close();
    await app.page.getByText("(server is shutting down)").waitFor();
    await say(app.page, "anybody?");
    await app.page.getByText("the server can't be reached, or does not allow this page's origin").waitFor();
    expect(app.problems.splice(0)).toEqual([expect.stringContaining("ERR_CONNECTION_REFUSED")]);
  });

  test("the network breaks under a conversation", async () => {
    await using app = await openApp(browser, { path: "/chat" });
    await using proxy = await startProxy(app.server.port);
    await app.page.goto(`${proxy.url}/chat#token=${await app.server.token()}`);
    await say(app.page, "hello");
    await app.page.getByText("Echo: hello").waitFor();
    proxy.cut();
    await app.page.getByText("The server can't be reached at the moment (the connection was lost).").waitFor();
    app.problems.splice(0);
  });

  test("a page whose origin is not allowed can't converse; one whose origin is can", async () => {
    await using app = await openApp(browser, { path: "/chat" });
    for (const [options, outcome] of [
      [{ host: "localhost:1" }, "does not allow this page's origin"],
      [{}, "Echo: hello"],
    ] as const) {
      await using proxy = await startProxy(app.server.port, options);
      await app.page.goto(`${proxy.url}/chat#token=${await app.server.token()}`);
      await say(app.page, "hello");
      await app.page.getByText(outcome).waitFor();
    }
    app.problems.splice(0);
  });

  test("the token expires in mid-conversation", async () => {
    await using app = await openApp(browser, { path: "/chat", token: { ttlSeconds: 4 } });
    await say(app.page, "hello");
    await app.page.getByText("Echo: hello").waitFor();
    await app.page.getByRole("heading", { name: "Your session has expired" }).waitFor();
  });

  test("a message is too large", async () => {
    await using app = await openApp(browser, { path: "/chat", app: { readMaxBytes: 10_000 } });
    await say(app.page, "a".repeat(20_000));
    await expect.poll(() => fact(app.page, "State")).toBe("resource_exhausted");
    await say(app.page, "short");
    await app.page.getByText("Echo: short").waitFor();
  });

  test("an upload is too large", async () => {
    await using app = await openApp(browser, { path: "/upload", app: { streams: { maxUploadBytes: 1_000_000 } } });
    await button(app.page, "Choose a file").waitFor();
    await chooseLarge(app.page, 30);
    await app.page.getByText("Upload is larger than 1000000 bytes.").waitFor();
  });

  test("the token does not allow streams", async () => {
    await using app = await openApp(browser, { path: "/chat", token: { scopes: ["users:read"] } });
    await say(app.page, "hello");
    await app.page.getByText("Your token does not allow this: missing scope streams.").waitFor();
  });
});

describe("resources", () => {
  test("50 MB go up while the page holds little of them", async () => {
    await using app = await openApp(browser, { path: "/upload" });
    const { page, server } = app;
    await button(page, "Choose a file").waitFor();
    // What a page has handed to its sockets and they have not sent: looked at with every frame.
    await page.evaluate(`
      window.mostUnsent = 0;
      const send = WebSocket.prototype.send;
      WebSocket.prototype.send = function (data) {
        send.call(this, data);
        window.mostUnsent = Math.max(window.mostUnsent, this.bufferedAmount);
      };
    `);
    await chooseLarge(page, 50);
    await page.getByText("✓ The server received exactly this file.").waitFor({ timeout: 60_000 });
    const checksum = createHash("sha256").update(bytesOf(50_000_000)).digest("hex");
    expect(await page.locator(".checksum code").allTextContents()).toEqual([checksum, checksum]);
    expect(server.log.find(({ msg }) => msg === "call")?.requestBytes).toBeGreaterThan(50_000_000);
    expect(Number(await page.evaluate("window.mostUnsent"))).toBeLessThan(2 * 1024 ** 2);
  }, 90_000);

  test("100 conversations one after the other leave no socket", async () => {
    await using app = await openApp(browser, { path: "/chat" });
    const { page, server } = app;
    let open = 0;
    page.on("websocket", (socket) => {
      open++;
      socket.on("close", () => open--);
    });
    for (let call = 1; call <= 100; call++) {
      await say(page, `call ${call}`);
      await page.getByText(`Echo: call ${call}`, { exact: true }).waitFor();
      await button(page, "End").click();
      await page.getByText("The conversation has ended.").waitFor();
    }
    await until(() => open === 0);
    const calls = server.log.filter(
      ({ msg, method }) => msg === "call" && String(method).endsWith("/BidirectionalStream"),
    );
    expect(calls).toHaveLength(100);
    expect(new Set(calls.map(({ code }) => code))).toEqual(new Set(["ok"]));
  }, 90_000);
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

/** A proxy before the server, as careless ones are: it can rename the host that the browser asked for. */
async function startProxy(port: number, { host }: { host?: string } = {}) {
  const sockets = new Set<Duplex>();
  const proxy = createServer((request, response) => {
    const headers = { ...request.headers, ...(host && { host }) };
    const upstream = forward({ port, method: request.method, path: request.url, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    request.pipe(upstream);
  });
  proxy.on("upgrade", ({ url, headers }, socket, head) => {
    const upstream = connect(port, "localhost", () => {
      const fields = Object.entries({ ...headers, ...(host && { host }) });
      upstream.write(`GET ${url} HTTP/1.1\r\n${fields.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`);
      upstream.write(head);
      upstream.pipe(socket).pipe(upstream);
    });
    sockets.add(socket);
    socket.on("error", () => {}).on("close", () => upstream.destroy());
    upstream.on("error", () => {}).on("close", () => socket.destroy());
  });
  await new Promise<void>((resolve) => proxy.listen(0, "localhost", resolve));
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: `http://localhost:${(proxy.address() as AddressInfo).port}`,
    /** Breaks every WebSocket. */
    cut,
    async [Symbol.asyncDispose]() {
      cut();
      proxy.closeAllConnections();
      await new Promise((resolve) => proxy.close(resolve));
    },
  };
}
