import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { launchChromium } from "../../test/chromium.ts";
import { openApp, SCHEMES } from "./open-app.ts";

let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser.close());

describe.each(SCHEMES)("over %s", (scheme) => {
  test("the link signs in, and its token leaves the address bar and the history", async () => {
    await using app = await openApp(browser, { scheme, token: { subject: "ada", scopes: ["users:read", "streams"] } });
    const { page, server } = app;
    await page.getByText("Nobody is here yet.").waitFor();
    expect(page.url()).toBe(`${server.url}/users`);
    expect(await page.locator(".who").textContent()).toMatch(/adausers:read streams/);
    await page.goBack();
    expect(page.url()).not.toContain("token");
  });

  test("a token is pasted, kept through a reload, and gone after the sign-out", async () => {
    await using app = await openApp(browser, { scheme, token: false });
    const { page, server } = app;
    const token = page.getByLabel("Token");
    const submit = page.getByRole("button", { name: "Sign in" });
    await token.fill("nonsense");
    await submit.click();
    await page.getByText("This is not a token").waitFor();
    await token.fill(await server.token({ ttlSeconds: -10 }));
    await submit.click();
    await page.getByText("This token has expired").waitFor();
    await token.fill(`  ${await server.token()}\n`);
    await submit.click();
    await page.getByText("Nobody is here yet.").waitFor();
    await page.reload();
    await page.getByText("Nobody is here yet.").waitFor();
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByRole("heading", { name: "Sign in" }).waitFor();
    await page.reload();
    await page.getByRole("heading", { name: "Sign in" }).waitFor();
    expect(await page.evaluate("sessionStorage.length")).toBe(0);
  });

  test("the whole link can be pasted too", async () => {
    await using app = await openApp(browser, { scheme, token: false, path: "/chat" });
    const { page, server } = app;
    await page.getByLabel("Token").fill(`${server.url}/#token=${await server.token()}`);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Chat" }).waitFor();
  });

  test("when the token expires, a page says so, and a new one leads back", async () => {
    await using app = await openApp(browser, { scheme, path: "/query", token: { subject: "ada", ttlSeconds: 3 } });
    const { page, server } = app;
    await page.getByRole("heading", { name: "Your session has expired" }).waitFor();
    await page.getByText("You were signed in as ada.").waitFor();
    await page.getByLabel("Token").fill(await server.token());
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Query" }).waitFor();
  });

  test("a token that the server refuses ends the session", async () => {
    await using other = await openApp(browser, { scheme, token: false });
    await using app = await openApp(browser, { scheme, token: false });
    const { page } = app;
    await page.getByLabel("Token").fill(await other.server.token());
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "The server does not accept your token any more" }).waitFor();
    // The browser itself notes each answer that is an error.
    expect(app.problems.splice(0)).toEqual([expect.stringContaining("401")]);
  });
});

test("a link whose token has expired says so", async () => {
  await using app = await openApp(browser, { token: { ttlSeconds: -10 } });
  await app.page.getByRole("heading", { name: "Sign in" }).waitFor();
  await app.page.getByText("This token has expired.").waitFor();
  expect(app.page.url()).not.toContain("token");
});

test("who signs in next is shown nothing of who was there before", async () => {
  await using app = await openApp(browser);
  const { page, server } = app;
  await app.createUsers(1);
  await page.getByText("Person 01", { exact: true }).waitFor();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByLabel("Token").fill(await server.token({ scopes: ["streams"] }));
  await page.keyboard.press("Enter");
  await page.getByText("missing scope users:read").waitFor();
  expect(await page.getByText("Person 01").count()).toBe(0);
  app.problems.splice(0);
});

test("another tab is another session", async () => {
  await using app = await openApp(browser);
  await app.page.getByText("Nobody is here yet.").waitFor();
  const tab = await app.page.context().newPage();
  await tab.goto(app.server.url);
  await tab.getByRole("heading", { name: "Sign in" }).waitFor();
});
