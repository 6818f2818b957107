import { AxeBuilder } from "@axe-core/playwright";
import { connectChromium } from "@rollcall/testing/chromium";
import { expect, test } from "vitest";
import { openApp } from "./support/open-app.ts";

const browser = await connectChromium();

/** Opens the docs. The test fails at its end if the page breaks its content security policy or calls another host. */
const openDocs = () => openApp(browser, { path: "/docs", token: false, context: { reducedMotion: "reduce" } });

test("the docs are readable under their policy, without scripts, at every width", async () => {
  await using app = await openDocs();
  const { page } = app;
  const scripts: string[] = [];
  page.on("request", (request) => {
    if (request.resourceType() === "script") scripts.push(request.url());
  });
  await page.reload();
  await page.getByRole("heading", { name: "GetUser", exact: true }).waitFor();
  for (const width of [320, 360, 700, 1024, 1440, 2200]) {
    await page.setViewportSize({ width, height: 900 });
    expect(await page.evaluate("document.documentElement.scrollWidth - innerWidth"), `at ${width}`).toBeLessThanOrEqual(
      0,
    );
  }
  await page.getByRole("link", { name: "UpdateUser", exact: true }).click();
  await expect.poll(() => page.evaluate("document.querySelector(':target h3')?.textContent")).toBe("UpdateUser");
  expect(scripts).toEqual([]);
  await page.getByRole("link", { name: "Back to the app" }).click();
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
});

/** Background of each colour scheme. It shows that the style has loaded. */
const grounds = { light: "rgb(245, 247, 246)", dark: "rgb(14, 20, 19)" } as const;

test("axe finds nothing serious in the docs, and enough contrast in light and in dark", async () => {
  await using app = await openDocs();
  const { page } = app;
  const expectNone = async (axe: AxeBuilder) => {
    // Check the first section of each kind: the others have the same elements.
    const { violations } = await axe.exclude("article ~ article").setLegacyMode().analyze();
    const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
    expect(serious.map(({ id, nodes }) => [id, nodes.map(({ target }) => target)])).toEqual([]);
  };
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    const ground = () => page.evaluate("getComputedStyle(document.body).backgroundColor");
    await expect.poll(ground).toBe(grounds[colorScheme]);
    await expectNone(new AxeBuilder({ page }).withRules(["color-contrast"]));
  }
  await expectNone(new AxeBuilder({ page }).disableRules(["color-contrast"]));
});

test("the app leads to the docs: from its header, from a method, and before somebody signs in", async () => {
  await using app = await openApp(browser, { path: "/explorer" });
  const { page } = app;
  const follow = async (name: string, at?: string) => {
    const opened = page.waitForEvent("popup");
    await page.getByRole("link", { name }).click();
    const docs = await opened;
    await docs.getByRole("heading", { name: "GetUser", exact: true }).waitFor();
    // The rest of the page may come later.
    await docs.waitForLoadState();
    await expect.poll(() => docs.evaluate("document.querySelector(':target h3')?.textContent")).toBe(at);
    await docs.close();
  };
  await page.getByRole("link", { name: /^ListUsers / }).click();
  await follow("Reference (in a new tab)", "ListUsers");
  await follow("Docs (in a new tab)");
  await page.getByRole("button", { name: "Sign out" }).click();
  await follow("How programs call this server");
});
