import { createClient } from "@connectrpc/connect";
import { UserService } from "@rollcall/gen/user/v1/user";
import { connectChromium } from "@rollcall/testing/chromium";
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { openApp } from "./support/open-app.ts";
import { button, chooseLarge } from "./support/stream-pages.ts";
import { act } from "./support/users-page.ts";

const browser = await connectChromium();

/** Records everything that moves, also right after a key or a click. */
const WATCH_SHIFTS = `
  window.shifts = [];
  new PerformanceObserver((list) => {
    for (const { value, sources } of list.getEntries()) {
      const moved = sources.map(({ node, previousRect: from, currentRect: to }) =>
        \`\${node?.parentElement?.className} > \${node?.className ?? node?.textContent} from \${from.x},\${from.y} to \${to.x},\${to.y}\`);
      window.shifts.push({ value, moved });
    }
  }).observe({ type: "layout-shift", buffered: true });
`;

interface Shift {
  readonly value: number;
  /** Description for the failure's message. */
  readonly moved: string[];
}

/** Returns everything that has moved so far. */
async function shifts(page: Page): Promise<Shift[]> {
  await page.evaluate("new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))");
  return page.evaluate<Shift[]>("window.shifts");
}

/** Expects that nothing has moved. The usual measure, Cumulative Layout Shift, counts as good below 0.1. */
async function expectStill(page: Page, path: string): Promise<void> {
  const all = await shifts(page);
  expect(sumOf(all), `${path}: ${JSON.stringify(all, undefined, 2)}`).toBeLessThan(0.01);
}

const sumOf = (all: readonly Shift[]) => all.reduce((total, { value }) => total + value, 0);

/** Expects rows of 40 pixels in a table, or cards of two lines on a phone. */
async function expectCompact(page: Page, width: number): Promise<void> {
  const row = page.locator("tbody tr:not(.placeholder)").first();
  await row.waitFor();
  const height = (await row.boundingBox())?.height ?? 0;
  if (width < 700) expect(height, `card at ${width}`).toBeLessThanOrEqual(60);
  else expect(Math.round(height), `row at ${width}`).toBe(40);
  expect(await page.evaluate("getComputedStyle(document.querySelector('tbody th')).fontSize")).toBe("14px");
}

test("nothing is cut off at any width", async () => {
  await using app = await openApp(browser);
  const { page } = app;
  await app.createUsers(3);
  for (const width of [320, 360, 700, 1024, 1150, 1440, 2200]) {
    await page.setViewportSize({ width, height: 800 });
    const header = (await page.locator(".site-header").boundingBox())?.height ?? 0;
    expect(header, `header at ${width}`).toBeLessThanOrEqual(width < 1024 ? 100 : 60);
    for (const title of ["Users", "Query", "Upload", "Chat", "Explorer"]) {
      await page.getByRole("link", { name: title, exact: true }).click();
      await page.getByRole("heading", { name: title, exact: true }).waitFor();
      const cut = await page.evaluate("document.documentElement.scrollWidth - innerWidth");
      expect(cut, `${title} at ${width}`).toBeLessThanOrEqual(0);
      const docs = await page.getByRole("link", { name: "Docs (in a new tab)" }).boundingBox();
      expect((docs?.x ?? width) + (docs?.width ?? 0), `Docs at ${width}`).toBeLessThanOrEqual(width);
      if (title === "Users") await expectCompact(page, width);
    }
  }
});

test.each([320, 1280])("nothing long is cut off at a width of %i pixels", async (width) => {
  await using app = await openApp(browser, { context: { viewport: { width, height: 800 } } });
  const { page } = app;
  const users = createClient(UserService, app.transport);
  const name = "Wolfeschlegelsteinhausenbergerdorff".repeat(5);
  const email = `${"hubert.wolfeschlegelstein".repeat(2)}@${"department.university.".repeat(5)}edu`;
  await users.createUser({ name, email });
  await page.reload();
  const expectFit = async (selector: string) =>
    expect(
      await page.evaluate(
        `(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth)(document.querySelector("${selector}"))`,
      ),
    ).toBeLessThanOrEqual(0);
  await act(page, "Delete…", name);
  await page.getByRole("alertdialog").waitFor();
  await expectFit(".dialog");
  await button(page, "Cancel").click();
  await act(page, "Edit…", name);
  await page.getByRole("dialog").waitFor();
  await expectFit(".dialog");
  await page.getByLabel("Name", { exact: true }).fill(`${name}s`);
  await button(page, "Save").click();
  await page.getByText(`${name}s was changed.`).waitFor();
  await expectFit("html");
  await page.getByLabel(/^Search/).fill("x".repeat(254));
  await page.getByText("start with").waitFor();
  await expectFit("html");
});

test("nothing moves while it loads, at any width", async () => {
  await using app = await openApp(browser);
  const { page } = app;
  await page.addInitScript(WATCH_SHIFTS);
  await app.createUsers(12);
  for (const width of [320, 1440]) {
    await page.setViewportSize({ width, height: 800 });
    for (const [path, ready] of [
      ["/users", "Person 10"],
      ["/query", "From a terminal"],
      ["/upload", "From a terminal"],
      ["/chat", "From a terminal"],
      ["/explorer", "The same call"],
    ] as const) {
      await page.goto(app.server.url + path);
      await page.getByText(ready, { exact: true }).waitFor();
      await expectStill(page, `${path} at ${width}`);
    }
  }
});

test.each([320, 360, 700, 1000, 1440])("nothing moves while it runs, at a width of %i pixels", async (width) => {
  await using app = await openApp(browser, {
    context: { viewport: { width, height: 800 } },
    path: "/query",
    app: { streams: { resultIntervalMs: 50 } },
  });
  const { page, server } = app;
  await page.addInitScript(WATCH_SHIFTS);
  const runs: Record<string, () => Promise<void>> = {
    async "/query"() {
      await button(page, "Run").click();
      await page.getByText("10 results, complete.").waitFor();
    },
    async "/upload"() {
      await chooseLarge(page, 3);
      await page.getByText("✓ The server received exactly this file.").waitFor();
    },
    async "/chat"() {
      await button(page, "Send 20").click();
      await page.getByText("Echo: message 20", { exact: true }).waitFor();
      await button(page, "End").click();
      await page.getByText("The conversation has ended.").waitFor();
    },
  };
  for (const [path, run] of Object.entries(runs)) {
    await page.goto(server.url + path);
    await page.getByText("From a terminal").waitFor();
    await run();
    await expectStill(page, path);
    // A part that scrolls by itself, such as a conversation, does not make the page longer.
    const { bottom, end } = await page.evaluate<{ bottom: number; end: number }>(
      "({ end: document.documentElement.scrollHeight, bottom: Math.max(innerHeight, document.querySelector('main').getBoundingClientRect().bottom + scrollY) })",
    );
    expect(end).toBeLessThanOrEqual(Math.ceil(bottom));
  }
  // The control: something moves.
  await page.evaluate("document.querySelector('h1').style.paddingTop = '10rem'");
  await expect.poll(async () => sumOf(await shifts(page))).toBeGreaterThan(0.01);
});
