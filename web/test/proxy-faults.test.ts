import { connectChromium } from "@rollcall/testing/chromium";
import { expect, test } from "vitest";
import { type OpenApp, type OpenOptions, openApp } from "./support/open-app.ts";
import { type ReverseProxyOptions, startReverseProxy } from "./support/reverse-proxy.ts";
import { button, choose, fact, say } from "./support/stream-pages.ts";
import { fillForm } from "./support/users-page.ts";

const browser = await connectChromium();

/** Opens the app behind a proxy, signed in. */
async function openBehind(
  options: ReverseProxyOptions,
  path: string,
  open: OpenOptions = {},
): Promise<OpenApp & { proxyUrl: string }> {
  const app = await openApp(browser, { token: false, ...open });
  const proxy = await startReverseProxy(app.server.url, options);
  await app.page.goto(`${proxy.url}${path}#token=${await app.server.token()}`);
  return {
    ...app,
    proxyUrl: proxy.url,
    async [Symbol.asyncDispose]() {
      // Requests go to the proxy's own origin, and its answers are logged.
      app.expectProblems(/^request to|status of|WebSocket|ERR_FAILED/);
      // Close the page first: it logs an error once the proxy is away.
      try {
        await app[Symbol.asyncDispose]();
      } finally {
        await proxy[Symbol.asyncDispose]();
      }
    },
  };
}

/** Answers calls of a method with a page, as proxies do. */
const pageFor =
  (method: string, status: number): NonNullable<ReverseProxyOptions["intercept"]> =>
  (request, response) => {
    if (!request.url?.includes(method)) return false;
    const headers = { "content-type": "text/html", ...(status === 302 && { location: "https://sign-in.example/" }) };
    request.resume().on("end", () => response.writeHead(status, headers).end("<html><h1>From the proxy</h1></html>"));
    return true;
  };

test("a proxy's 413 is shown as the proxy's answer, not the server's", async () => {
  await using app = await openBehind({ intercept: pageFor("CreateUser", 413) }, "/users");
  await button(app.page, "New user").click();
  await fillForm(app.page, "Ada", "ada@example.com");
  await app.page
    .getByText("Something between this page and the server, such as a proxy, answered in its place, with HTTP 413.")
    .waitFor();
  expect(await app.page.getByText("It takes nothing as large as what was sent.").count()).toBe(1);
});

test.each([
  [200, "with HTTP 200."],
  [401, "with HTTP 401."],
  [403, "with HTTP 403."],
  [302, "with a redirect."],
  [502, "with HTTP 502."],
])("a proxy's page with %i blames neither the server nor the token", async (status, words) => {
  await using app = await openBehind({ intercept: pageFor("ServerStream", status) }, "/query");
  await button(app.page, "Run").click();
  await app.page.getByText(`answered in its place, ${words}`).waitFor();
  // The session goes on.
  await button(app.page, "Sign out").waitFor();
});

test("a WebSocket that a proxy swallows stays opening for ten seconds at most", async () => {
  await using app = await openBehind({ swallowsUpgrades: true }, "/chat", { clockAheadMs: 0 });
  const { page } = app;
  await button(page, "Send").waitFor();
  // The test controls the page's clock, so a slow machine does not matter.
  await page.clock.pauseAt(Date.now() + 60_000);
  // The page shows that it is opening a WebSocket before it opens one.
  const opening = page.waitForEvent("websocket");
  await say(page, "hello");
  await opening;
  await page.getByText("Opening a WebSocket…").waitFor();
  await page.getByText("You → server: closed").waitFor();
  await page.getByText("Server → you: closed").waitFor();
  await page.clock.runFor(9_000);
  expect(await fact(page, "State")).toBe("running");
  await page.clock.runFor(2_000);
  await page.getByText("the WebSocket did not open within 10 s").waitFor();
  await page.getByText("You → server: closed").waitFor();
  await page.getByText("not sent", { exact: true }).waitFor();

  await page.clock.resume();
  await page.getByRole("link", { name: "Upload" }).click();
  await choose(page, Buffer.from("hello"));
  await page.getByText("Opening a WebSocket…").waitFor();
  await page.clock.runFor(11_000);
  await page.getByText("the WebSocket did not open within 10 s").waitFor();
});

test("a proxy that passes no WebSockets on is named as a reason", async () => {
  await using app = await openBehind({ ignoresUpgrades: true }, "/chat");
  await say(app.page, "hello");
  await app.page.getByText("or is behind a proxy that passes none on").waitFor();
  await app.page.getByText("not sent", { exact: true }).waitFor();
});

test("a WebSocket that a proxy opens by itself ends when no answer comes", async () => {
  await using app = await openBehind({ fakesUpgrades: true }, "/chat", { clockAheadMs: 0 });
  const { page } = app;
  await say(page, "hello");
  await page.getByText("You → server: open", { exact: true }).waitFor();
  await page.clock.runFor(31_000);
  await page.getByText("no answer within 30 s").waitFor();
  expect(await fact(page, "State")).toBe("unavailable");
});

test("a query that a proxy holds back waits for an answer, for thirty seconds at most", async () => {
  const intercept = ({ url = "" }: { url?: string | undefined }) => url.includes("ServerStream");
  await using app = await openBehind({ intercept }, "/query", { clockAheadMs: 0 });
  const { page } = app;
  await button(page, "Run").click();
  await page.getByText("Waiting…").waitFor();
  await page.clock.runFor(31_000);
  await page.getByText("no answer within 30 s").waitFor();
});
