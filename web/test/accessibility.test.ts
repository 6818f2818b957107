import { AxeBuilder } from "@axe-core/playwright";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { launchChromium } from "../../test/chromium.ts";
import { openApp } from "./open-app.ts";

let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser.close());

const button = (page: Page, name: string) => page.getByRole("button", { name, exact: true });

/** Each view, and how to get there. */
const views: Record<string, { path: string; signedIn?: false; show?(page: Page): Promise<void> }> = {
  "sign-in": { path: "/", signedIn: false, show: (page) => button(page, "Sign in").click() },
  users: { path: "/users", show: (page) => page.getByText("Person 10", { exact: true }).waitFor() },
  "the form with errors": {
    path: "/users",
    async show(page) {
      await button(page, "New user").click();
      await button(page, "Save").click();
      await page.getByText("must be at least 1 characters").waitFor();
    },
  },
  "the confirmation": {
    path: "/users",
    async show(page) {
      await button(page, "Delete Person 01").click();
      await page.getByRole("alertdialog").waitFor();
    },
  },
  query: {
    path: "/query",
    async show(page) {
      await button(page, "Run").click();
      await page.getByText("10 results, complete.").waitFor();
    },
  },
  upload: {
    path: "/upload",
    async show(page) {
      await button(page, "Choose a file").waitFor();
      await page.locator("input[type=file]").setInputFiles({ name: "a", mimeType: "", buffer: Buffer.alloc(10) });
      await page.getByText("✓ The server received exactly this file.").waitFor();
    },
  },
  chat: {
    path: "/chat",
    async show(page) {
      await button(page, "Send 20").click();
      await page.getByText("Echo: message 20", { exact: true }).waitFor();
    },
  },
  "no page": { path: "/nowhere" },
};

describe.each(["light", "dark"] as const)("in %s", (colorScheme) => {
  test.each(Object.keys(views))("axe finds nothing serious: %s", async (name) => {
    const { path, signedIn, show } = views[name] ?? expect.fail();
    await using app = await openApp(browser, {
      path,
      context: { colorScheme },
      ...(signedIn === false && { token: false }),
    });
    if (signedIn !== false) await app.createUsers(12);
    await show?.(app.page);
    const { violations } = await new AxeBuilder({ page: app.page }).analyze();
    const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
    expect(serious.map(({ id, nodes }) => [id, nodes.map(({ target }) => target)])).toEqual([]);
  });
});

test("axe finds what is there to find", async () => {
  await using app = await openApp(browser, { path: "/chat" });
  await button(app.page, "Send").waitFor();
  await app.page.evaluate("document.querySelector('label').remove()");
  const { violations } = await new AxeBuilder({ page: app.page }).analyze();
  expect(violations.map(({ id }) => id)).toContain("label");
});

test("the keyboard is enough to create, edit and delete", async () => {
  await using app = await openApp(browser);
  const { page } = app;
  const { keyboard } = page;
  const focused = () => page.evaluate("document.activeElement.ariaLabel ?? document.activeElement.textContent");
  const tabTo = async (name: string) => {
    for (let presses = 0; presses < 40; presses++) {
      if ((await focused()) === name) return;
      await keyboard.press("Tab");
    }
    expect.fail(`${name} is not reached with Tab`);
  };
  await button(page, "New user").waitFor();
  await keyboard.press("Tab");
  expect(await focused()).toBe("Skip to content");
  await tabTo("New user");
  await keyboard.press("Enter");
  await page.getByRole("dialog").waitFor();
  await expect.poll(() => page.evaluate("document.activeElement.tagName")).toBe("INPUT");
  await keyboard.type("Ada");
  await keyboard.press("Tab");
  await keyboard.type("ada@example.com");
  await keyboard.press("Enter");
  await page.getByText("Ada was created.").waitFor();
  // The dialog gives the focus back to what opened it.
  await expect.poll(focused).toBe("New user");
  await tabTo("Edit Ada");
  await keyboard.press("Enter");
  await page.getByRole("dialog").waitFor();
  await keyboard.press("Escape");
  await expect.poll(focused).toBe("Edit Ada");
  await tabTo("Delete Ada");
  await keyboard.press("Enter");
  await page.getByRole("alertdialog").waitFor();
  await tabTo("Delete");
  await keyboard.press("Enter");
  await page.getByText("Nobody is here yet.").waitFor();
});

test.each([360, 700, 1150, 1440])("nothing is cut off at a width of %i pixels", async (width) => {
  await using app = await openApp(browser, { context: { viewport: { width, height: 800 } } });
  const { page } = app;
  await app.createUsers(3);
  for (const title of ["Users", "Query", "Upload", "Chat"]) {
    await page.getByRole("link", { name: title }).click();
    await page.getByRole("heading", { name: title, exact: true }).waitFor();
    expect(await page.evaluate("document.documentElement.scrollWidth - innerWidth")).toBeLessThanOrEqual(0);
  }
});

test.each([360, 1440])("nothing moves while it loads, at a width of %i pixels", async (width) => {
  await using app = await openApp(browser, { context: { viewport: { width, height: 800 } } });
  const { page } = app;
  await page.addInitScript(`
    window.shift = 0;
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shift += entry.value;
    }).observe({ type: "layout-shift", buffered: true });
  `);
  await app.createUsers(12);
  for (const [path, ready] of [
    ["/users", "Person 10"],
    ["/query", "From a terminal"],
    ["/upload", "From a terminal"],
    ["/chat", "From a terminal"],
  ] as const) {
    await page.goto(app.server.url + path);
    await page.getByText(ready, { exact: true }).waitFor();
    await page.evaluate("new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))");
    // What the web's own measure calls good is below 0.1.
    expect(Number(await page.evaluate("window.shift")), path).toBeLessThan(0.01);
  }
});
