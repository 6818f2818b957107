import { AxeBuilder } from "@axe-core/playwright";
import { createClient } from "@connectrpc/connect";
import { UserService } from "@rollcall/gen/user/v1/user";
import type { AppOptions } from "@rollcall/server";
import { connectChromium } from "@rollcall/testing/chromium";
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { type OpenApp, openApp, SERVER_AWAY } from "./support/open-app.ts";
import { withOrders } from "./support/order-service.ts";
import { button } from "./support/stream-pages.ts";
import { act, choose } from "./support/users-page.ts";

const browser = await connectChromium();

interface View {
  path: string;
  signedIn?: false;
  /** Options of the server. */
  app?: Partial<AppOptions>;
  /** Scopes of the token. Default all. */
  scopes?: readonly string[];
  /** Number of users. Default 12. */
  users?: number;
  /** Steps that lead to the view. */
  show?(page: Page, app: OpenApp): Promise<void>;
}

/** Views by name. */
const views: Record<string, View> = {
  "sign-in": { path: "/", signedIn: false, show: (page) => button(page, "Sign in").click() },
  "sign-in at a provider": {
    path: "/",
    signedIn: false,
    app: {
      signIn: { kind: "provider", issuer: "https://id.example.com", clientId: "web", scope: "openid", parameters: {} },
    },
    async show(page) {
      await button(page, "Sign in with id.example.com").waitFor();
      await page.getByText("Use a token instead").click();
    },
  },
  users: { path: "/users", show: (page) => page.getByText("Person 10", { exact: true }).waitFor() },
  "a page without its scope": { path: "/chat", scopes: [], show: (page) => page.getByText("needs a token").waitFor() },
  "an empty directory": { path: "/users", users: 0, show: (page) => button(page, "Create a user").waitFor() },
  "the palette": {
    path: "/users",
    async show(page) {
      await page.getByText("Person 10", { exact: true }).waitFor();
      await page.keyboard.press("Control+k");
      await page.getByRole("option", { name: "New user" }).waitFor();
    },
  },
  "a user's page": {
    path: "/users",
    async show(page) {
      await page.getByRole("link", { name: "Person 01" }).click();
      await page.getByText("tester created Person 01, person01@example.com.").waitFor();
    },
  },
  "an import with a fault": {
    path: "/users",
    users: 0,
    async show(page, { expectProblems }) {
      await button(page, "Import a file").click();
      const buffer = Buffer.from("email,name\nnonsense,Nobody\n");
      await page.locator("input[type=file]").setInputFiles({ name: "users.csv", mimeType: "", buffer });
      await page.getByText("Done: 0 created, 0 skipped, 1 failed.").waitFor();
      expectProblems(/status of 400/);
    },
  },
  "an export": {
    path: "/users",
    async show(page) {
      await choose(page, "Export…");
      await page.getByRole("dialog", { name: "Export users" }).waitFor();
    },
  },
  "a user's form": {
    path: "/users",
    async show(page) {
      await page.getByRole("link", { name: "Person 01" }).click();
      await button(page, "Edit…").click();
      await page.getByRole("dialog").waitFor();
    },
  },
  "a selection": {
    path: "/users",
    async show(page) {
      await page.getByLabel("Select Person 01").check();
      await page.getByRole("region", { name: "Selected users" }).waitFor();
    },
  },
  "the menu of a row": {
    path: "/users",
    async show(page) {
      await page.getByRole("button", { name: "Actions for Person 01" }).click();
      await page.getByRole("menuitem", { name: "Edit…" }).waitFor();
    },
  },
  "the form with errors": {
    path: "/users",
    async show(page) {
      await button(page, "New user").click();
      await button(page, "Save").click();
      await page.getByText("must not be empty").waitFor();
    },
  },
  "the confirmation": {
    path: "/users",
    async show(page) {
      await act(page, "Delete…", "Person 01");
      await page.getByRole("alertdialog").waitFor();
    },
  },
  "the comparison": {
    path: "/users",
    async show(page, { transport, expectProblems }) {
      await act(page, "Edit…", "Person 01");
      await page.getByRole("dialog").waitFor();
      const users = createClient(UserService, transport);
      const [user] = (await users.listUsers({})).users;
      await users.updateUser({ id: user?.id ?? "", name: "Theirs" });
      await page.getByLabel("Name", { exact: true }).fill("Mine");
      await button(page, "Save").click();
      // The table behind shows the other name sooner.
      await page.getByRole("row", { name: "Theirs, now" }).waitFor();
      expectProblems(/status of 409/);
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
  "the explorer, with a form of all sorts of fields and an error": {
    path: "/explorer",
    async show(page, { expectProblems }) {
      const body = JSON.stringify({ items: [{ sku: "none" }], labels: { a: "b" }, card: "1" });
      const fragment = new URLSearchParams({ method: "shop.OrderService/Place", body });
      await page.evaluate(`location.hash = ${JSON.stringify(String(fragment))}`);
      await page.getByLabel("sku").waitFor();
      await button(page, "Send").click();
      await page.getByRole("region", { name: "Error" }).waitFor();
      expectProblems(/status of 400/);
    },
  },
  "the explorer, with broken rules and on a phone": {
    path: "/explorer",
    async show(page) {
      await page.setViewportSize({ width: 360, height: 800 });
      await page.getByLabel("Method", { exact: true }).selectOption("user.v1.UserService/CreateUser");
      await page.getByRole("heading", { name: "CreateUser", exact: true }).waitFor();
      await button(page, "Send").click();
      await page.getByText("must not be empty").first().waitFor();
    },
  },
  "no page": { path: "/nowhere" },
  "an offer of another session": {
    path: "/users",
    async show(page, { server }) {
      await page.evaluate(`location.hash = "token=${await server.token({ subject: "eve" })}"`);
      await button(page, "Stay tester").waitFor();
    },
  },
  "a list that can't be had": {
    path: "/users",
    async show(page, { server, expectProblems }) {
      await page.getByText("Person 10", { exact: true }).waitFor();
      await server.app.close();
      await page.getByLabel("Per page").selectOption("25");
      await button(page, "Try again").waitFor();
      expectProblems(SERVER_AWAY);
    },
  },
  "an expired session": {
    path: "/users",
    async show(page, { server, expectProblems }) {
      await button(page, "Sign out").click();
      await page.evaluate(`location.hash = "token=${await server.token({ ttlSeconds: -1 })}"`);
      await page.getByText("This token has expired.").waitFor();
      expectProblems(/status of 401/);
    },
  },
};

/** Background of each colour scheme; the other scheme's is the control. The dark scheme differs only in colours. */
const grounds = { light: "rgb(245, 247, 246)", dark: "rgb(14, 20, 19)" };
const COLOR_RULES = ["color-contrast", "link-in-text-block"];

test.each(Object.keys(views))("axe finds nothing serious, in light and in dark: %s", async (name) => {
  const { path, signedIn, app: options, scopes, users = 12, show } = views[name] ?? expect.fail();
  await using app = await openApp(browser, {
    path,
    app: { ...withOrders, ...options },
    // Transitions are off, so that no colour is read while it changes.
    context: { reducedMotion: "reduce" },
    ...(signedIn === false && { token: false }),
    ...(scopes && { token: { scopes } }),
  });
  const { page } = app;
  if (signedIn !== false) await app.createUsers(users);
  await show?.(page, app);
  for (const [colorScheme, ground] of Object.entries(grounds)) {
    await page.emulateMedia({ colorScheme: colorScheme as keyof typeof grounds });
    await expect.poll(() => page.evaluate("getComputedStyle(document.body).backgroundColor")).toBe(ground);
    const axe = new AxeBuilder({ page }).setLegacyMode();
    if (colorScheme === "dark") axe.withRules(COLOR_RULES);
    const { violations, passes } = await axe.analyze();
    expect(passes.map(({ id }) => id)).toContain("color-contrast");
    const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
    expect(
      serious.map(({ id, nodes }) => [id, nodes.map(({ target }) => target)]),
      colorScheme,
    ).toEqual([]);
  }
});

test("the control: axe finds a fault that is there", async () => {
  await using app = await openApp(browser, { path: "/chat" });
  await button(app.page, "Send").waitFor();
  await app.page.evaluate("document.querySelector('label').remove()");
  const { violations } = await new AxeBuilder({ page: app.page }).setLegacyMode().analyze();
  expect(violations.map(({ id }) => id)).toContain("label");
});
