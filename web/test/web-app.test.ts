import { readFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { launchChromium } from "@rollcall/testing/chromium";
import { startServer, until } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";
import { type OpenApp, openApp, WEB_ROOT } from "./support/open-app.ts";

const html = readFileSync(join(WEB_ROOT, "index.html"), "utf8");
const entry = `/${/<script[^>]* src="\.\/([^"]+)"/.exec(html)?.[1]}`;
/** Headers of a browser's navigation. */
const navigation = { headers: { accept: "text/html,application/xhtml+xml,*/*;q=0.8" } };

test("the page is never cached, its assets for ever", async () => {
  await using server = await startServer({ webRoot: WEB_ROOT });
  const page = await fetch(`${server.url}/`, navigation);
  expect(page.headers.get("cache-control")).toBe("no-store");
  const asset = await fetch(server.url + entry);
  expect(asset.headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
  expect(entry).toMatch(/^\/assets\/index-[\w-]{8}\.js$/);
});

test("pages and assets carry the security headers, and the policy lets nothing inline run or style", async () => {
  await using server = await startServer({ webRoot: WEB_ROOT });
  for (const path of ["/", "/users", entry]) {
    const { headers } = await fetch(server.url + path, navigation);
    const policy = headers.get("content-security-policy") ?? "";
    expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self';");
    expect(policy).not.toContain("unsafe");
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("referrer-policy")).toBe("no-referrer");
    expect(headers.get("cross-origin-opener-policy")).toBe("same-origin");
  }
  expect(html).not.toMatch(/<style|style=|<script(?![^>]* src=)/);
});

test.each([
  ["br", "br"],
  ["gzip", "gzip"],
  ["identity", undefined],
])("a client that accepts %s gets the file as built: %s", async (accepted, encoding) => {
  await using server = await startServer({ webRoot: WEB_ROOT });
  const { headers, length } = await new Promise<{ headers: Record<string, unknown>; length: number }>(
    (resolve, reject) => {
      request(server.url + entry, { headers: { "accept-encoding": accepted } }, async (response) => {
        let length = 0;
        for await (const chunk of response) length += chunk.length;
        resolve({ headers: response.headers, length });
      })
        .on("error", reject)
        .end();
    },
  );
  expect(headers["content-encoding"]).toBe(encoding);
  expect(headers["content-type"]).toMatch(/javascript/);
  const suffix = { br: ".br", gzip: ".gz" }[accepted] ?? "";
  expect(length).toBe(readFileSync(join(WEB_ROOT, entry + suffix)).byteLength);
});

test.each(["/users", "/chat", "/no-such-page"])("%s is the page itself", async (path) => {
  await using server = await startServer({ webRoot: WEB_ROOT });
  const response = await fetch(server.url + path, navigation);
  expect(response.status).toBe(200);
  expect(await response.text()).toBe(html);
});

test.each([
  "/user.v1.UserService/Nothing",
  "/user.v1.UserService/CreateUser",
  "/grpc.health.v1.Health/Check",
  "/assets/missing-12345678.js",
  "/favicon.ico",
])("%s is not the page, even for a browser", async (path) => {
  await using server = await startServer({ webRoot: WEB_ROOT });
  const response = await fetch(server.url + path, navigation);
  expect(response.status).toBeGreaterThanOrEqual(400);
  expect(response.headers.get("content-type") ?? "").not.toContain("html");
});

test("no path is the page for a client that does not ask for a page", async () => {
  await using server = await startServer({ webRoot: WEB_ROOT });
  expect((await fetch(`${server.url}/users`)).status).toBe(404);
  expect((await fetch(`${server.url}/users`, { method: "POST", ...navigation })).status).toBe(404);
  expect((await fetch(`${server.url}/healthz`, navigation)).headers.get("content-type")).toContain("json");
});

async function openFirstUser({ page, createUsers, server }: OpenApp): Promise<void> {
  await createUsers(1);
  const href = await page.getByRole("link", { name: "Person 01" }).getAttribute("href");
  await page.goto(server.url + href);
  await page.getByRole("heading", { name: "Person 01" }).waitFor();
}

test.each(["/users", "/users/ID", "/query", "/upload", "/chat", "/explorer"])(
  "%s loads at most 130 kB of JavaScript, compressed by gzip",
  async (path) => {
    await using browser = await launchChromium();
    await using app = await openApp(browser, { path: path.replace("/ID", "") });
    if (path === "/users/ID") await openFirstUser(app);
    await app.page.getByRole("heading", { level: 1 }).waitFor();
    // Pages of users watch for changes with a request that never ends.
    if (path.startsWith("/users")) await app.page.getByText("Live", { exact: true }).waitFor();
    else await app.page.waitForLoadState("networkidle");
    const scripts = await app.page.evaluate<string[]>(
      `performance.getEntriesByType("resource").map(({ name }) => new URL(name).pathname).filter((path) => path.endsWith(".js"))`,
    );
    expect(scripts).toContain(entry);
    const sizes = scripts.map((script) => gzipSync(readFileSync(join(WEB_ROOT, script)), { level: 9 }).byteLength);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(130_000);
  },
);

test("what only an action needs is loaded when the mouse moves, not when the page appears below it", async () => {
  await using browser = await launchChromium();
  await using app = await openApp(browser, { path: "/query" });
  const { page } = app;
  await page.getByRole("heading", { level: 1 }).waitFor();
  const requests: string[] = [];
  page.on("request", (request) => requests.push(request.url()));
  const loadsSignIn = () => requests.some((url) => url.includes("sign-in-page-"));
  await page.evaluate(`dispatchEvent(new PointerEvent("pointermove"))`);
  // A file that the event loads is asked for before this.
  await page.evaluate(`fetch("/healthz").then(() => undefined)`);
  await until(() => requests.some((url) => url.endsWith("/healthz")));
  expect(loadsSignIn()).toBe(false);
  await page.mouse.move(40, 40);
  await page.mouse.move(80, 80);
  await until(loadsSignIn);
});
